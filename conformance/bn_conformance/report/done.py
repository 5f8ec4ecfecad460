"""What is done of a run while it goes on, in counts: what was not judged is never among what was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bn_conformance.report.legend import VERDICT_COUNTS
from bn_conformance.results.outcomes import SILENT, ItemVerdict
from bn_conformance.results.records import Item

_APART = (ItemVerdict.REFUSED, *SILENT)
"""Verdicts that are counted apart, where there are any."""


class Done:
    """Counts the items that are done.

    Args:
        items: that are done already.
    """

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._verdicts = Counter(item.verdict for item in items)

    def add(self, item: Item) -> None:
        """Count an item that is done."""
        self._verdicts[item.verdict] += 1

    @property
    def total(self) -> int:
        """How many items are done."""
        return self._verdicts.total()

    @property
    def failed(self) -> int:
        """How many of them fail."""
        return self._verdicts[ItemVerdict.FAIL]

    def __str__(self) -> str:
        """The counts: `340 judged, 0 failed, 3 not judged`."""
        judged = self.total - sum(self._verdicts[verdict] for verdict in _APART)
        apart = (
            f", {self._verdicts[verdict]:,} {VERDICT_COUNTS[verdict]}" for verdict in _APART if self._verdicts[verdict]
        )
        return f"{judged:,} judged, {self.failed:,} failed{''.join(apart)}"
