"""What a layer with deviations would get in a case, so that a diagnosis is held against cases that nobody examined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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


class Predictions:
    """Predicts verdicts under one convention; goldens, and what the right layer gives, are kept for all candidates."""

    def __init__(self, convention: Convention) -> None:
        self.convention = convention
        self._goldens = Goldens()
        self._policy = Policy(Threshold.DEGRADED, {clause.id: clause.requirement for clause in clauses().values()})
        self._right: dict[tuple[str, str], Observation] = {}

    def contradicts(self, deviations: Sequence[Deviation], item: Item, case: Case) -> bool:
        """Whether a layer with deviations clearly fails where the implementation passes, or the opposite.

        There are two tries, since some deviations do otherwise the next time; the second is made in the arithmetic that
        implementations use, since rounding may decide, for one, whether memory that is written again holds other bytes.
        """
        if not self._differs(deviations, item, case, None):
            return False
        call_once(deviations, case, self._goldens.data(case), self.convention)
        narrow = np.dtype(np.float64 if case.config.dtype == "float64" else np.float32)
        return self._differs(deviations, item, case, narrow)

    def _differs(self, deviations: Sequence[Deviation], item: Item, case: Case, work: np.dtype[Any] | None) -> bool:
        failed = is_caught(item)
        if self._changes_nothing(deviations, case, work):
            return failed and ratio_of(item) > ROBUST * SLACK
        adapter = PlainAdapter(deviations, self.convention, work)
        with np.errstate(all="ignore"):
            predicted = run_case(adapter.name, case, LocalHost(adapter), self.convention, self._goldens, self._policy)
        fails = is_caught(predicted)
        clearly = ROBUST if fails else ROBUST * SLACK  # what is off by rounding may be off by more of it
        return fails != failed and ratio_of(predicted if fails else item) > clearly

    def _changes_nothing(self, deviations: Sequence[Deviation], case: Case, work: np.dtype[Any] | None) -> bool:
        """Whether the layer is the right one here, which need not be judged."""
        if case.repeat or case.concurrent:
            return False
        key = case.id, str(work)
        if key not in self._right:
            self._right[key] = self._observe((), case, work)
        return same(self._observe(deviations, case, work), self._right[key])

    def _observe(self, deviations: Sequence[Deviation], case: Case, work: np.dtype[Any] | None) -> Observation:
        host = LocalHost(PlainAdapter(deviations, self.convention, work))
        with np.errstate(all="ignore"):
            return observe(case, self._goldens.data(case), host, self.convention.statistics_move == "explicit")
