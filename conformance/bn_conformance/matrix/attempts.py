"""What is left of blocks of work whose processes end: an item is tried once more, and lost after that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bn_conformance.matrix.items import LOST
from bn_conformance.results.records import split_id

TRIES = 2
"""How often an item may end its process before it is lost."""

LOST_ITEMS = 3
"""How many items an implementation may lose before it is given up."""


@dataclass
class Attempts:
    """How often items ended the process that judged them."""

    _ends: Counter[str] = field(default_factory=Counter)
    _lost: Counter[str] = field(default_factory=Counter)

    def after_end(self, left: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
        """What becomes of a block of one implementation whose process ended.

        Args:
            left: ids of the items that it did not report, of which the first was running.

        Returns:
            The items that are lost, each with why; and the items that are to be judged.
        """
        running, *others = left
        implementation, _ = split_id(running)
        self._ends[running] += 1
        if self._ends[running] < TRIES:
            return [], [*left]
        self._lost[implementation] += 1
        lost = [(running, f"{LOST} {TRIES} times while it ran")]
        if self._lost[implementation] < LOST_ITEMS:
            return lost, others
        return [*lost, *not_tried(others)], []

    def given_up(self, item: str) -> bool:
        """Whether nothing more of the implementation of an item is to be judged."""
        return self._lost[split_id(item)[0]] >= LOST_ITEMS


def not_tried(items: Iterable[str]) -> list[tuple[str, str]]:
    """Items of an implementation that is given up, each with why it is lost."""
    why = f"not tried: given up after {LOST_ITEMS} items that ended the process that judged them"
    return [(item, why) for item in items]
