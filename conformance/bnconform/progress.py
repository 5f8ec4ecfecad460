"""The progress of a check, on standard error where that is a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from bn_conformance.report.done import Done
from bn_conformance.report.failure import item_line
from bn_conformance.results.outcomes import ItemVerdict
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
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
        )
        self._console = console
        self._bar = Bar(*columns, console=console, disable=not console.is_terminal, transient=True)
        self._task = self._bar.add_task("", total=total, name=name[:40], counts="")
        self._done = Done()

    def stage(self, name: str, total: int, note: str = "") -> None:
        """Count the cases of a stage from now on.

        Args:
            name: of the stage.
            total: of its cases.
            note: what is said before it.
        """
        if note and self._console.is_terminal:
            self._console.print(Text(note))
        self._bar.update(self._task, total=total, completed=0, name=name, refresh=True)

    def advance(self, item: Item) -> None:
        """Count an item that is done."""
        self._done.add(item)
        if item.verdict == ItemVerdict.FAIL.value and self._done.failed == 1 and self._console.is_terminal:
            self._console.print(Text(f"first failure: {item_line(item)}"))
        self._bar.update(self._task, advance=1, counts=str(self._done))

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
