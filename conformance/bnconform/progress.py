"""The progress of a check, on standard error where that is a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from bn_conformance.report.failure import item_line
from bn_conformance.results import outcomes
from bn_conformance.results.outcomes import ItemVerdict, is_level
from bn_conformance.results.records import Item


class Progress:
    """A bar that counts what was judged and what fails. The first failure is shown as soon as there is one.

    Args:
        name: of the implementation.
        total: cases there are.
    """

    def __init__(self, name: str, total: int) -> None:
        console = Console(file=sys.stderr)
        columns = (
            TextColumn("{task.fields[name]}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[judged]} judged, {task.fields[failed]} failed"),
            TimeElapsedColumn(),
        )
        self._console = console
        self._bar = Bar(*columns, console=console, disable=not console.is_terminal, transient=True)
        self._task = self._bar.add_task("", total=total, name=name[:40], judged=0, failed=0)
        self._judged = self._failed = 0

    def advance(self, item: Item) -> None:
        """Count an item that is done."""
        self._judged += is_level(item.outcome) or item.outcome == outcomes.REFUSED
        if item.verdict == ItemVerdict.FAIL.value:
            if not self._failed and self._console.is_terminal:
                self._console.print(Text(f"first failure: {item_line(item)}"))
            self._failed += 1
        self._bar.update(self._task, advance=1, judged=self._judged, failed=self._failed)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
