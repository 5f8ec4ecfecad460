"""The bench: judges mutants on cases, exactly as implementations are judged, in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.hosting.local import LocalHost
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import Policy, Runs, judge_runs, observe_runs, run_case
from bn_conformance.mutation.catch import Catch, is_caught, worst_wrong_ratio
from bn_conformance.mutation.equivalent import is_equivalent, recording_layer
from bn_conformance.mutation.mutant import PlainAdapter
from bn_conformance.observing.observation import same
from bn_conformance.results.outcomes import ItemVerdict, Threshold
from bn_conformance.results.records import Item
from bn_conformance.user_error import UserError
from bn_reference.deviations import Deviation
from bn_reference.layer.layer import PlainLayer
from bn_reference.specification.clauses import clauses

OPPOSITE = Convention(
    running_variance="biased",
    initial_running_variance=0.0,
    momentum_weighs="old",
    default_momentum=0.9,
    default_eps=2e-3,
    statistics_move="explicit",
    eps_in_running_variance=True,
    eps_in_inference=False,
    eps_dtype="float32",
    momentum_dtype="float32",
    statistics_dtype="float32",
)
"""Declared where a deviation makes the choice that the default convention makes."""

DEBIASED = Convention(debiasing="zero-debias", default_momentum=0.01)
"""Declared where a deviation concerns debiased averages."""


def under_conventions(deviations: Iterable[Deviation]) -> list[tuple[Convention, list[Deviation]]]:
    """Deviations grouped by the first convention, of the three declared here, under which each is a deviation."""
    rest, groups = list(deviations), []
    for convention in (Convention(), OPPOSITE, DEBIASED):
        groups.append((convention, [deviation for deviation in rest if deviation.under(convention) is not None]))
        rest = [deviation for deviation in rest if deviation.under(convention) is None]
    return [(convention, group) for convention, group in groups if group]


def lenient_policy() -> Policy:
    """The policy of a run with its defaults: every level down to `degraded` passes."""
    return Policy(Threshold.DEGRADED, {clause.id: clause.requirement for clause in clauses().values()})


class BrokenDeviation(UserError):
    """A deviation does not run, so that what it gives says nothing of a case."""


NO_REFUSAL = frozenset(
    {"AttributeError", "ImportError", "IndexError", "KeyError", "NameError", "NotImplementedError", "TypeError"}
    | {"ModuleNotFoundError", "UnboundLocalError"}
)
"""Errors of code that is not finished. A deviation that refuses an input, as layers do, raises another one."""


@dataclass(frozen=True)
class CaseTrial:
    """A case in which a mutant gives something else than the reference layer.

    Attributes:
        catch: where that is noticed; else None.
        level: where it is not, the level of the case, that is the grade within whose bounds every error lies.
        ratio: the largest error over what `tight` allows.
    """

    catch: Catch | None
    level: str = ""
    ratio: float = 0.0


class Bench:
    """Judges mutants under one convention.

    Args:
        convention: what the plain layer declares, the default one if None.
        goldens: where goldens are kept; None for goldens of its own.
    """

    def __init__(self, convention: Convention | None = None, goldens: Goldens | None = None) -> None:
        self._convention = convention or Convention()
        self._policy = lenient_policy()
        self._goldens = goldens or Goldens()
        self._references: dict[str, tuple[set[str], Runs]] = {}

    def judge(self, deviations: Sequence[Deviation], case: Case) -> Item:
        """The item that a mutant with these deviations gets; with none, that of the reference layer."""
        adapter = PlainAdapter(deviations, self._convention)
        with np.errstate(all="ignore"):
            return run_case(adapter.name, case, LocalHost(adapter), self._convention, self._goldens, self._policy)

    def catches(self, case: Case, deviations: Iterable[Deviation]) -> Iterator[Catch]:
        """The catches of a case, which the plain layer must support.

        Equivalent mutants are neither run nor judged.

        Raises:
            BrokenDeviation: a deviation does not run on a case that expects numbers.
        """
        for deviation in deviations:
            trial = self.trial(case, deviation) if self.may_act(deviation, case) else None
            if trial and trial.catch:
                yield trial.catch

    def trial(self, case: Case, deviation: Deviation) -> CaseTrial | None:
        """What a mutant gives in a case, judged; None where it is the reference layer's, bit for bit.

        Raises:
            BrokenDeviation: the deviation does not run on a case that expects numbers.
        """
        runs = self._observe([deviation], case)
        error = runs[0].error
        if error is not None and error.kind in NO_REFUSAL and case.expects == "numbers":
            raise BrokenDeviation(f"deviation {deviation.name} does not run on {case.id}: {error.with_place}; mend it")
        if same(runs, self._reference(case)[1]):
            return None
        item = judge_runs(deviation.name, case, runs, self._convention, self._goldens, self._policy)
        if is_caught(item) or item.outcome == deviation.level:
            fails = item.verdict == ItemVerdict.FAIL.value
            return CaseTrial(Catch(deviation.name, case.id, worst_wrong_ratio(item), fails))
        ratio = max((quantity.ratio or 0.0 for quantity in item.quantities), default=0.0)
        return CaseTrial(None, item.outcome, ratio)

    def may_act(self, deviation: Deviation, case: Case) -> bool:
        """Whether a deviation is not proven, without a run, to give what the reference layer gives in a case."""
        return deviation.under(self._convention) is not None and not is_equivalent(deviation, self._reference(case)[0])

    def _reference(self, case: Case) -> tuple[set[str], Runs]:
        """The names that the reference layer looks up in a case, and what it gives; observed once."""
        if case.id not in self._references:
            layer, looked_up = recording_layer()
            self._references[case.id] = looked_up, self._observe([], case, layer)
        return self._references[case.id]

    def _observe(self, deviations: Sequence[Deviation], case: Case, base: type[PlainLayer] = PlainLayer) -> Runs:
        host = LocalHost(PlainAdapter(deviations, self._convention, base=base))
        with np.errstate(all="ignore"):
            return observe_runs(case, self._convention, self._goldens, host)
