"""The search: cases drawn and judged until one fails, which Hypothesis then makes as small as it can."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from bn_conformance.cases.model import Case
from bn_conformance.results import outcomes
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Item

ROUND = 500
"""Cases that Hypothesis draws at a time. It remembers all of them, which takes memory and time."""

SHRINKING = 60.0
"""The most seconds that making a case smaller may take."""

LOST = frozenset({outcomes.CRASHED, outcomes.TIMED_OUT})
"""Outcomes that cost a process. Such a case is not made smaller."""


@dataclass
class SearchResult:
    """The result of a search.

    Attributes:
        configurations: cases judged before anything failed.
        seconds: how long that took.
        levels: how many cases had each outcome.
        case: the smallest case that fails; None where nothing fails.
        item: its record.
        first_case: the case that failed first, as it was drawn.
        shrinking: cases judged to make it smaller.
        cut: whether that was cut off after `SHRINKING` seconds.
        flaky: whether a case that failed did not fail again.
    """

    configurations: int = 0
    seconds: float = 0.0
    levels: Counter[str] = field(default_factory=Counter)
    case: Case | None = None
    item: Item | None = None
    first_case: Case | None = None
    shrinking: int = 0
    cut: bool = False
    flaky: bool = False

    @property
    def judged(self) -> int:
        """Cases of which a number was judged, or that were rightly refused."""
        return sum(
            count for name, count in self.levels.items() if name not in (outcomes.UNSUPPORTED, outcomes.NOT_JUDGED)
        )


class _Over(BaseException):
    """The time or the number of cases is used up. Hypothesis shrinks every `Exception`; this one ends its loop."""


class _Violation(AssertionError):
    """A case fails."""


class _Search:
    def __init__(
        self, judge: Callable[[Case], Item], seconds: float, limit: int, progress: Callable[[int], None] | None
    ) -> None:
        self._judge, self._limit, self._progress = judge, limit, progress
        self._start = time.perf_counter()
        self._end = self._start + seconds
        self.result = SearchResult()
        self._kind: tuple[str, str] | None = None

    def attempt(self, case: Case) -> None:
        """Judge a case; raises for a violation of the kind that was found first."""
        now = time.perf_counter()
        if self._kind is None and (now > self._end or 0 < self._limit <= self.result.configurations):
            raise _Over
        if self._kind is not None and now > self._end:
            self.result.cut = True
            raise _Over
        item = self._judge(case)
        self._count(item)
        if item.verdict != ItemVerdict.FAIL.value:
            return
        kind = _kind_of(item)
        if self._kind is None:
            self._kind, self.result.first_case = kind, case
            self.result.seconds = time.perf_counter() - self._start
            self._end = time.perf_counter() + SHRINKING
        elif kind != self._kind:
            return
        self.result.case, self.result.item = case, item
        if item.outcome in LOST:
            raise _Over
        raise _Violation

    def _count(self, item: Item) -> None:
        if self._kind is not None:
            self.result.shrinking += 1
            return
        self.result.configurations += 1
        self.result.levels[item.outcome] += 1
        if self._progress:
            self._progress(self.result.configurations)

    def finish(self) -> SearchResult:
        """The search as it ended."""
        if self._kind is None:
            self.result.seconds = time.perf_counter() - self._start
        return self.result


def _kind_of(item: Item) -> tuple[str, str]:
    """What fails: the outcome, and the worst quantity without its step. A smaller case must fail in the same way."""
    bad = [quantity for quantity in item.quantities if quantity.outcome == item.outcome]
    worst = max(bad, key=lambda quantity: quantity.ratio or 0.0, default=None)
    return item.outcome, worst.name.rpartition(".")[2] if worst else ""


def search(
    judge: Callable[[Case], Item],
    strategy: SearchStrategy[Case],
    seconds: float,
    limit: int = 0,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> SearchResult:
    """Draw and judge cases until the first violation, which is made as small as possible.

    Args:
        judge: gives the record of a case, as the matrix has it.
        strategy: of cases.
        seconds: when to stop drawing.
        limit: how many cases to judge at most; 0 for no limit.
        seed: equal seeds draw equal cases.
        progress: told the number of cases so far.
    """
    state = _Search(judge, seconds, limit, progress)
    number = 0
    try:
        while True:
            _round(state.attempt, strategy, seed + 1_000_003 * number)
            number += 1
    except Flaky:
        state.result.flaky = True
    except (_Over, _Violation):
        pass
    return state.finish()


def _round(attempt: Callable[[Case], None], strategy: SearchStrategy[Case], seed: int) -> None:
    quiet = settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )

    def body(case: Case) -> None:
        attempt(case)

    test: Any = seeded(seed)(quiet(given(strategy)(body)))
    test()
