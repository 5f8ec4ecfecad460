"""The two stages of a check: plain cases, and then sizes and tours, unless the verdict stands without.

Of both a sample is asked (`sample.py`). A case of many sizes and tours is a sweep (`Case.sweep`). Sweeps take most
of the time, and what is wrong nearly always fails a plain case as well. So they are asked where all plain cases
conform, or where only cases at the usual edges fail (`bn_conformance.diagnosis.edges`): much code fails these beside
its actual mistake. Known faults and warnings do not count. What compiles has one stage, that of plain cases.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from time import perf_counter

from bn_conformance.diagnosis.edges import edge_of
from bn_conformance.matrix.plan import Plan
from bn_conformance.results.outcomes import (
    NOT_ASKED,
    NOT_ASKED_BECAUSE,
    OUTSIDE_SAMPLE,
    ItemVerdict,
)
from bn_conformance.results.records import Item
from bn_conformance.text import counted

FIRST, LATER = "plain cases (1 of 2)", "sizes, tours (2 of 2)"
"""What the two stages are called while they go on."""


def asks_later(plan: Plan, items: Iterable[Item]) -> bool:
    """Whether the later stage is asked.

    Args:
        plan: of the check.
        items: that are judged; those of the first stage decide.
    """
    first = (item for item in items if item.id in plan.items and item.id not in plan.later)
    return all(edge_of(plan.items[item.id][1]) for item in first if item.verdict == ItemVerdict.FAIL.value)


def not_asked_items(plan: Plan, judged: Collection[str] = (), later: bool = False) -> Iterator[Item]:
    """The items that a check does not ask, but for those whose ids say that they are judged already.

    Args:
        plan: of the check.
        judged: ids of items.
        later: whether the later stage is asked. Then only the sweeps outside the sample are not.
    """
    left_out = {} if later else {item_id: plan.items[item_id] for item_id in plan.items if item_id in plan.later}
    for item_id, (implementation, case) in (left_out | dict(plan.beyond_sample)).items():
        if item_id not in judged:
            yield Item(
                implementation=implementation.name,
                case=case.id,
                outcome=NOT_ASKED,
                verdict=ItemVerdict.NOT_ASKED.value,
                message=OUTSIDE_SAMPLE if later or not case.sweep else NOT_ASKED_BECAUSE,
                reproduce=plan.reproduce(implementation, case),
            )


class Stages:
    """Where a run is: in its first stage, between the two, or later. A run that has no later stage is never between.

    Args:
        plan: of the run.
        asked: ids of the items that are to be judged.
        judged: items that are judged already.
    """

    def __init__(self, plan: Plan, asked: Collection[str], judged: Collection[Item]) -> None:
        self._plan, self._start = plan, perf_counter()
        self._items = {item.id: item for item in judged}
        self._later = {item for item in asked if item in plan.later}
        self._first = {item for item in asked if item not in plan.later} if self._later else set()
        self._whole = len({*asked, *self._items}) >= len(plan.items)

    @property
    def first(self) -> int:
        """How many items are left of the first stage; 0 where the run has no later one."""
        return len(self._first)

    @property
    def later(self) -> int:
        """How many items the later stage has."""
        return len(self._later)

    @property
    def between(self) -> bool:
        """Whether all of the first stage is judged, and there is a later one."""
        return bool(self._later) and not self._first

    def add(self, item: Item) -> bool:
        """Count an item that is judged, and say whether it was the last of the first stage."""
        self._items[item.id] = item
        if item.id not in self._first:
            return False
        self._first.remove(item.id)
        return not self._first

    def asks_later(self) -> bool:
        """Whether the later stage is asked, by what is judged."""
        return asks_later(self._plan, self._items.values())

    def not_asked(self, later: bool) -> list[Item]:
        """The items that are not asked, which depends on whether the later stage is. What was deselected is none."""
        items = not_asked_items(self._plan, self._items, later)
        return [item for item in items if self._whole or item.id in self._later]

    def passage(self) -> str:
        """What is said when the later stage begins."""
        first = [item for item in self._items.values() if item.id not in self._plan.later]
        return passage(first, self.later, perf_counter() - self._start)


def passage(items: Collection[Item], later: int, seconds: float) -> str:
    """What is said when the later stage begins.

    Args:
        items: of the first stage.
        later: items of the later one.
        seconds: that the first took.
    """
    failing = sum(item.verdict == ItemVerdict.FAIL.value for item in items)
    plain = counted(len(items), "plain case")
    how = f"{plain} judged, {failing:,} failing at usual edges alone," if failing else f"{plain} conform"
    return f"{how} after {seconds:.0f} s; {later:,} more sizes and tours follow"
