"""What a layer with deviations would get in a case, so that a diagnosis is held against cases that nobody examined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bn_conformance.adapter import Convention
from bn_conformance.case import Case
from bn_conformance.deviant import PlainAdapter, call_once
from bn_conformance.goldens import Goldens
from bn_conformance.local_host import LocalHost
from bn_conformance.observation import Observation, same
from bn_conformance.observe import observe
from bn_conformance.outcomes import Threshold
from bn_conformance.power import ROBUST, is_caught, ratio_of
from bn_conformance.rebasing import SLACK
from bn_conformance.results import Item
from bn_conformance.run_case import Policy, run_case
from bn_reference.clauses import clauses
from bn_reference.deviations import Deviation

TRIES = 2
"""How often a prediction is made before it contradicts: some deviations do otherwise the next time."""


class Predictions:
    """Predicts verdicts under one convention; goldens, and what the right layer gives, are kept for all candidates."""

    def __init__(self, convention: Convention) -> None:
        self.convention = convention
        self._goldens = Goldens()
        self._policy = Policy(Threshold.DEGRADED, {clause.id: clause.requirement for clause in clauses().values()})
        self._right: dict[str, Observation] = {}

    def contradicts(self, deviations: Sequence[Deviation], item: Item, case: Case) -> bool:
        """Whether a layer with deviations clearly fails where the implementation passes, or the opposite."""
        for _ in range(TRIES):
            if not self._differs(deviations, item, case):
                return False
            call_once(deviations, case, self._goldens.data(case), self.convention)
        return True

    def _differs(self, deviations: Sequence[Deviation], item: Item, case: Case) -> bool:
        failed = is_caught(item)
        if self._changes_nothing(deviations, case):
            return failed and ratio_of(item) > ROBUST * SLACK
        predicted = self._judged(deviations, case)
        fails = is_caught(predicted)
        clearly = ROBUST if fails else ROBUST * SLACK  # what is off by rounding may be off by more of it
        return fails != failed and ratio_of(predicted if fails else item) > clearly

    def _changes_nothing(self, deviations: Sequence[Deviation], case: Case) -> bool:
        """Whether the layer is the right one here, which need not be judged."""
        if case.repeat or case.concurrent:
            return False
        if case.id not in self._right:
            self._right[case.id] = self._observe((), case)
        return same(self._observe(deviations, case), self._right[case.id])

    def _judged(self, deviations: Sequence[Deviation], case: Case) -> Item:
        adapter = PlainAdapter(deviations, self.convention)
        with np.errstate(all="ignore"):
            return run_case(adapter.name, case, LocalHost(adapter), self.convention, self._goldens, self._policy)

    def _observe(self, deviations: Sequence[Deviation], case: Case) -> Observation:
        host = LocalHost(PlainAdapter(deviations, self.convention))
        with np.errstate(all="ignore"):
            return observe(case, self._goldens.data(case), host, self.convention.statistics_move == "explicit")
