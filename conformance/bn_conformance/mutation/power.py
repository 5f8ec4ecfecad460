"""Detection power: which deviations of the catalogue each case catches, and by how much.

Every case is judged on the plain layer with every deviation, exactly as an implementation would be, family by family
until one of its cases catches the deviation clearly. Only a deviation that provably gives what the right layer gives is
not judged, since the verdict is the right layer's. A deviation that no case catches is a *survivor*; the suite must
have none.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.selection import SelectionError, select_cases
from bn_conformance.hosting.local import LocalHost
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import Policy, Runs, judge_runs, observe_runs, run_case
from bn_conformance.mutation.equivalent import is_idle, recording
from bn_conformance.mutation.mutant import EVERYTHING, PlainAdapter
from bn_conformance.observing.observation import same
from bn_conformance.results import outcomes
from bn_conformance.results.outcomes import Threshold, Verdict
from bn_conformance.results.records import Item
from bn_reference.deviations import Deviation, catalogue
from bn_reference.layer.layer import PlainLayer
from bn_reference.specification.clauses import clauses

ROBUST = 3.0
"""Power ratio that a deviation must reach somewhere: caught, and not by a hair."""

MUST = "MUST"

CHUNKS = 4
"""Parts into which the deviations are divided, in each of which the goldens of a family are made anew."""

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
"""Declared where a deviation is one of debiased averages."""


def under_conventions(deviations: Iterable[Deviation]) -> list[tuple[Convention, list[Deviation]]]:
    """The deviations by the first convention, of those declared here, under which each is a deviation."""
    left, found = list(deviations), []
    for convention in (Convention(), OPPOSITE, DEBIASED):
        found.append((convention, [one for one in left if one.under(convention) is not None]))
        left = [one for one in left if one.under(convention) is None]
    return [(convention, group) for convention, group in found if group]


@dataclass(frozen=True)
class Catch:
    """A case that catches a deviation.

    Attributes:
        deviation: its name.
        case: id of the case.
        ratio: error over what the grade allows that comes nearest to explaining it; infinite where it is no number
            that is wrong (an input that was modified, for example).
        fails: whether the run fails; a breach of a SHOULD clause only warns.
    """

    deviation: str
    case: str
    ratio: float
    fails: bool


def judged_cases(patterns: Iterable[str] = ()) -> list[str]:
    """Ids of the cases that power is measured on: all that the plain layer supports, large ones aside.

    Raises:
        SelectionError: a pattern matches nothing, or all of them match large cases alone.
    """
    known = all_cases()
    selected = [case for case in select_cases((), tuple(patterns)) if case in known]
    if not selected:
        raise SelectionError("power is not measured on large cases; name others")
    return [case for case in selected if not unsupported_reason(known[case], EVERYTHING)]


class Bench:
    """Judges deviations on cases in this process.

    Args:
        convention: what the plain layer declares, the default one if None.
        goldens: where goldens are kept; None for goldens of its own.
    """

    def __init__(self, convention: Convention | None = None, goldens: Goldens | None = None) -> None:
        self._convention = convention or Convention()
        self._policy = Policy(Threshold.DEGRADED, {clause.id: clause.requirement for clause in clauses().values()})
        self._goldens = goldens or Goldens()

    def judge(self, deviations: Sequence[Deviation], case: Case) -> Item:
        """The item that the plain layer with these deviations gets; with none, it is right."""
        adapter = PlainAdapter(deviations, self._convention)
        with np.errstate(all="ignore"):
            return run_case(adapter.name, case, LocalHost(adapter), self._convention, self._goldens, self._policy)

    def _observe(self, deviations: Sequence[Deviation], case: Case, base: type[PlainLayer] = PlainLayer) -> Runs:
        host = LocalHost(PlainAdapter(deviations, self._convention, base=base))
        with np.errstate(all="ignore"):
            return observe_runs(case, self._convention, self._goldens, host)

    def catches(self, case: Case, deviations: Iterable[Deviation]) -> Iterator[Catch]:
        """The deviations that a case, which the plain layer supports, catches."""
        layer, looked_up = recording()
        right = self._observe([], case, layer)
        for deviation in deviations:
            if deviation.under(self._convention) is None or is_idle(deviation, looked_up):
                continue
            runs = self._observe([deviation], case)
            if same(runs, right):
                continue  # it changes nothing here, so the verdict is that of the right layer
            item = judge_runs(deviation.name, case, runs, self._convention, self._goldens, self._policy)
            if is_caught(item) or item.outcome == deviation.level:
                yield Catch(deviation.name, case.id, ratio_of(item), item.verdict == Verdict.FAIL.value)


def is_caught(item: Item) -> bool:
    """Whether an item says that something is wrong: it fails, or breaks a SHOULD clause."""
    if item.verdict == Verdict.FAIL.value:
        return True
    return item.verdict == Verdict.WARN.value and outcomes.outcome_rank(item.outcome) >= outcomes.outcome_rank(
        outcomes.WRONG
    )


def ratio_of(item: Item) -> float:
    """The largest excess of a wrong item."""
    wrong = [quantity for quantity in item.quantities if quantity.outcome == item.outcome]
    if any(quantity.excess is None and quantity.ratio is None for quantity in wrong) or not wrong:
        return math.inf
    return max(quantity.ratio or 0.0 if quantity.excess is None else quantity.excess for quantity in wrong)


@dataclass(frozen=True)
class Power:
    """The outcome of a measurement.

    Attributes:
        deviations: those that were tried, by name.
        catches: of each, the cases that catch it in the order of the cases; in each family up to the first that
            catches it clearly, after which the family's other cases are left out.
        cases: how many cases there were.
    """

    deviations: Mapping[str, Deviation]
    catches: Mapping[str, tuple[Catch, ...]]
    cases: int

    @property
    def survivors(self) -> list[str]:
        """Deviations that nothing catches; where a MUST clause is violated, a warning is not enough."""
        return [name for name, found in self.catches.items() if not any(map(self.counts, found))]

    @property
    def fragile(self) -> list[str]:
        """Deviations that are caught, but nowhere by a ratio of `ROBUST`."""
        return [
            name
            for name, found in self.catches.items()
            if name not in self.survivors and not any(one.ratio > ROBUST for one in found if self.counts(one))
        ]

    def counts(self, catch: Catch) -> bool:
        """Whether a catch is as grave as the clause asks."""
        return counts(self.deviations[catch.deviation], catch)

    def first(self, name: str) -> Catch | None:
        """The first case that catches a deviation as it should, a clear one rather than one by a hair."""
        found = list(filter(self.counts, self.catches[name]))
        return next((one for one in found if one.ratio > ROBUST), found[0] if found else None)

    def by_family(self, name: str) -> dict[str, float]:
        """The largest ratio by which cases of each family catch a deviation."""
        found: dict[str, float] = {}
        for catch in filter(self.counts, self.catches[name]):
            family = family_of(catch.case)
            found[family] = max(found.get(family, 0.0), catch.ratio)
        return found


def counts(deviation: Deviation, catch: Catch) -> bool:
    """Whether a catch is as grave as the clause asks: a MUST must fail, or be a level that has the deviation's name."""
    warning_is_enough = bool(deviation.clause) and clauses()[deviation.clause].requirement != MUST
    return catch.fails or warning_is_enough or bool(deviation.level)


def family_of(case_id: str) -> str:
    """The family of a case, as its id spells it."""
    return case_id.partition("/")[0].upper()


def measure(names: Sequence[str], case_ids: Sequence[str], processes: int = 0) -> Iterator[float | Power]:
    """Judge the cases on every deviation, in several processes.

    Sweeps are for the deviations that no other case catches clearly: what they are there to catch.

    Args:
        names: deviations.
        case_ids: cases.
        processes: how many; 0 is one a core.

    Yields:
        The part of the work that is done so far, again and again; at last the result.
    """
    chosen = {name: catalogue()[name] for name in names}
    plain = [case_id for case_id in case_ids if not all_cases()[case_id].sweep]
    sweeps = [case_id for case_id in case_ids if all_cases()[case_id].sweep]
    found: list[Catch] = []
    with ProcessPoolExecutor(processes or available_cpus(), mp_context=get_context("spawn")) as pool:
        for share, catches in _all_parts(pool, names, plain):
            found += catches
            yield share * (1.0 - OF_SWEEPS)
        clear = {catch.deviation for catch in found if catch.ratio > ROBUST and counts(chosen[catch.deviation], catch)}
        for share, catches in _all_parts(pool, [name for name in names if name not in clear], sweeps):
            found += catches
            yield 1.0 - OF_SWEEPS + share * OF_SWEEPS
    order = {case: place for place, case in enumerate(case_ids)}
    by_name: dict[str, list[Catch]] = {name: [] for name in names}
    for catch in sorted(found, key=lambda one: order[one.case]):
        by_name[catch.deviation].append(catch)
    yield Power(chosen, {name: tuple(catches) for name, catches in by_name.items()}, len(case_ids))


OF_SWEEPS = 0.2
"""About which part of the work sweeps are."""


def _all_parts(
    pool: ProcessPoolExecutor, names: Sequence[str], case_ids: Sequence[str]
) -> Iterator[tuple[float, list[Catch]]]:
    """The catches of each part as it is done, and how much of all is done then."""
    families: dict[str, list[str]] = {}
    for case_id in case_ids:
        families.setdefault(family_of(case_id), []).append(case_id)
    parts = [(names[start::CHUNKS], cases) for cases in families.values() for start in range(CHUNKS)]
    parts = sorted((part for part in parts if part[0]), key=lambda part: -len(part[1]))
    running = {pool.submit(_part, tuple(some), tuple(cases)): len(cases) for some, cases in parts}
    done, whole = 0, sum(running.values())
    for future in as_completed(running):
        done += running[future]
        yield done / whole, future.result()


def available_cpus() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _part(names: tuple[str, ...], case_ids: tuple[str, ...]) -> list[Catch]:
    """Judge the cases of one family on some deviations, in a process of the pool."""
    groups = under_conventions(catalogue()[name] for name in names)
    found: list[Catch] = []
    for case_id in case_ids:
        goldens = Goldens()  # for one case at a time: those of a family would take too much memory
        for convention, group in groups:
            if not group:
                continue
            for catch in Bench(convention, goldens).catches(all_cases()[case_id], tuple(group)):
                found.append(catch)
                deviation = catalogue()[catch.deviation]
                if catch.ratio > ROBUST and counts(deviation, catch):
                    group.remove(deviation)
    return found
