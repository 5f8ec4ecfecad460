"""What a layer with deviations would get in a case, so that a diagnosis is held against cases that nobody examined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.diagnosis.shifted_goldens import SLACK
from bn_conformance.hosting.local import LocalHost
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import Policy, Runs, judge_runs, observe_runs
from bn_conformance.mutation.mutant import PlainAdapter
from bn_conformance.mutation.power import ROBUST, is_caught, ratio_of
from bn_conformance.observing.observation import same
from bn_conformance.results.outcomes import Threshold
from bn_conformance.results.records import Item
from bn_reference.deviations import Deviation
from bn_reference.specification.clauses import clauses


class Predictions:
    """Predicts verdicts under one convention; goldens, and what the right layer gives, are kept for all candidates."""

    def __init__(self, convention: Convention) -> None:
        self.convention = convention
        self._goldens = Goldens()
        self._policy = Policy(Threshold.DEGRADED, {clause.id: clause.requirement for clause in clauses().values()})
        self._right: dict[tuple[str, str], Runs] = {}

    def contradicts(self, deviations: Sequence[Deviation], item: Item, case: Case) -> bool:
        """Whether a layer with deviations clearly fails where the implementation passes, or the opposite.

        There are two tries, since some deviations do otherwise the next time; the second is made in the arithmetic that
        implementations use, since rounding may decide, for one, whether memory that is written again holds other bytes.
        """
        if not self._differs(deviations, item, case):
            return False
        narrow = np.dtype(np.float64 if case.config.dtype == "float64" else np.float32)
        return self._differs(deviations, item, case, narrow, called=True)

    def _differs(
        self,
        deviations: Sequence[Deviation],
        item: Item,
        case: Case,
        work: np.dtype[Any] | None = None,
        called: bool = False,
    ) -> bool:
        """One try; `called` where a layer of the adapter was called before."""
        failed, adapter = is_caught(item), PlainAdapter(deviations, self.convention, work)
        if called:
            adapter.call_once(case, self._goldens.data(case))
        host = LocalHost(adapter)
        with np.errstate(all="ignore"):
            runs = observe_runs(case, self.convention, self._goldens, host)
        if self._changes_nothing(runs, case, work):
            return failed and ratio_of(item) > ROBUST * SLACK
        with np.errstate(all="ignore"):
            predicted = judge_runs(adapter.name, case, runs, self.convention, self._goldens, self._policy)
        fails = is_caught(predicted)
        clearly = ROBUST if fails else ROBUST * SLACK  # what is off by rounding may be off by more of it
        return fails != failed and ratio_of(predicted if fails else item) > clearly

    def _changes_nothing(self, runs: Runs, case: Case, work: np.dtype[Any] | None) -> bool:
        """Whether the layer gave what the right one gives here, which need not be judged."""
        key = case.id, str(work)
        if key not in self._right:
            host = LocalHost(PlainAdapter((), self.convention, work))
            with np.errstate(all="ignore"):
                self._right[key] = observe_runs(case, self.convention, self._goldens, host)
        return same(runs, self._right[key])
