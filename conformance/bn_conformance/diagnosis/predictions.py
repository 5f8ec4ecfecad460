"""Predicts what a mutant would get in a case, so that a diagnosis can be checked against cases that nobody examined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bn_conformance.adapter import Capabilities, Convention
from bn_conformance.cases.as_declared import as_declared
from bn_conformance.cases.model import Case
from bn_conformance.diagnosis.match import Matcher
from bn_conformance.diagnosis.tuning import TUNING
from bn_conformance.hosting.local import LocalHost
from bn_conformance.judging.case import each_quantity
from bn_conformance.judging.context import JudgingContext
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import Runs, judge_runs, observe_runs
from bn_conformance.mutation.bench import lenient_policy
from bn_conformance.mutation.catch import ROBUST, is_caught, worst_wrong_ratio, wrong_ratio
from bn_conformance.mutation.equivalent import is_equivalent, recording_layer
from bn_conformance.mutation.mutant import PlainAdapter, usual_precision
from bn_conformance.observing.observation import same
from bn_conformance.results import outcomes
from bn_conformance.results.records import Item
from bn_reference.arithmetic.quad import quietly
from bn_reference.deviations import Deviation


class Predictions:
    """Predicts verdicts under one convention.

    Goldens, and what the reference layer gives, are kept for all candidates.

    Args:
        convention: what the implementation declares.
        capabilities: what it declares to be able to; its literals decide the eps and momentum of a case.
        goldens: that a run has computed already; None for goldens of its own.
    """

    def __init__(
        self, convention: Convention, capabilities: Capabilities | None = None, goldens: Goldens | None = None
    ) -> None:
        self.convention, self._capabilities = convention, capabilities or Capabilities()
        self._goldens = Goldens() if goldens is None else goldens
        self._policy = lenient_policy()
        self._reference_runs: dict[tuple[str, str], Runs] = {}
        self._looked_up: dict[str, set[str]] = {}

    @quietly
    def acts(self, deviations: Sequence[Deviation], case: Case) -> bool:
        """Whether a mutant can give something else in a case than the reference layer does."""
        case = as_declared(case, self._capabilities, self.convention)
        if case.id not in self._looked_up:
            layer, self._looked_up[case.id] = recording_layer()
            recording = PlainAdapter((), self.convention, base=layer)
            self._reference_runs[case.id, str(None)] = self._observe(recording, case)
        return not all(is_equivalent(deviation, self._looked_up[case.id]) for deviation in deviations)

    @quietly
    def contradicts(self, deviations: Sequence[Deviation], item: Item, case: Case) -> bool:
        """Whether a mutant clearly fails where the implementation passes, or passes where it clearly fails.

        There are two tries, since some mutants do otherwise the next time. The second try computes in the precision
        that implementations use: rounding may decide, for example, whether memory that is overwritten holds other
        bytes.
        """
        case = as_declared(case, self._capabilities, self.convention)
        if not self._differs(deviations, item, case):
            return False
        return self._differs(deviations, item, case, usual_precision(case.config.dtype), after_a_call=True)

    @quietly
    def catches(self, deviations: Sequence[Deviation], case: Case) -> bool:
        """Whether a mutant clearly fails a case."""
        case = as_declared(case, self._capabilities, self.convention)
        if not self.acts(deviations, case):
            return False
        runs = self._observe(PlainAdapter(deviations, self.convention), case)
        return not self._changes_nothing(runs, case, None) and self._is_caught(runs, case, more_than=ROBUST)

    @quietly
    def fails_clearly(self, runs: Runs, case: Case) -> bool:
        """Whether what an implementation gave fails a case by more than rounding would."""
        return self._is_caught(runs, as_declared(case, self._capabilities, self.convention), more_than=ROBUST)

    def matcher(self, runs: Runs, case: Case) -> Matcher:
        """What compares the runs of a case that fails with mutants."""
        case = as_declared(case, self._capabilities, self.convention)
        return Matcher.of(case, *runs, self.convention, self._goldens)

    def _differs(
        self,
        deviations: Sequence[Deviation],
        item: Item,
        case: Case,
        work: np.dtype[Any] | None = None,
        after_a_call: bool = False,
    ) -> bool:
        """One try; with `after_a_call`, a layer of the same adapter has been called before."""
        far = ROBUST * TUNING.bound_growth  # what is off by rounding may be off by more than its bound
        fails, adapter = is_caught(item), PlainAdapter(deviations, self.convention, work)
        if not self.acts(deviations, case):
            return fails and worst_wrong_ratio(item) > far
        if after_a_call:
            adapter.call_once(case, self._goldens.data(case))
        runs = self._observe(adapter, case)
        if self._changes_nothing(runs, case, work):
            return fails and worst_wrong_ratio(item) > far
        if fails:
            return not self._is_caught(runs, case) and worst_wrong_ratio(item) > far
        return self._is_caught(runs, case, more_than=ROBUST)

    def _is_caught(self, runs: Runs, case: Case, more_than: float = -1.0) -> bool:
        """Whether a mutant is caught, by more than a ratio: it is judged up to the first number that says so."""
        observation, repeat = runs
        if observation.error is not None or observation.original is not None or case.expects == "refusal":
            item = judge_runs("mutant", case, runs, self.convention, self._goldens, self._policy)
            return is_caught(item) and worst_wrong_ratio(item) > more_than
        steps = self._goldens.steps(case, self.convention)
        context = JudgingContext(case, self._goldens.data(case), steps, self.convention)
        quantities = each_quantity(context, observation, repeat)
        return any(one.outcome == outcomes.WRONG and wrong_ratio(one) > more_than for one in quantities)

    def _changes_nothing(self, runs: Runs, case: Case, work: np.dtype[Any] | None) -> bool:
        """Whether a mutant gave what the reference layer gives, so that it need not be judged."""
        key = case.id, str(work)
        if key not in self._reference_runs:
            self._reference_runs[key] = self._observe(PlainAdapter((), self.convention, work), case)
        return same(runs, self._reference_runs[key])

    def _observe(self, adapter: PlainAdapter, case: Case) -> Runs:
        return observe_runs(case, self.convention, self._goldens, LocalHost(adapter))
