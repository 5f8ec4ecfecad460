"""The progress of a run, shown on standard error."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from bn_conformance.report.done import Done
from bn_conformance.report.failure import item_line
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Item
from bn_conformance.text import one_line


class Progress:
    """A bar on a terminal; a line every ten per cent where standard error goes elsewhere.

    The first failure is shown as soon as there is one.

    Args:
        total: of the items of the run.
        done: items that are done already.
        shown: whether a failure was shown before (`show_first_failure`).
    """

    def __init__(self, total: int, done: Collection[Item] = (), shown: bool = False) -> None:
        console = self._console = Console(file=sys.stderr)
        columns = (
            TextColumn("{task.fields[name]:<24.24}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
        )
        self._on_terminal = console.is_terminal
        self._bar = Bar(*columns, console=console, disable=not self._on_terminal, transient=True)
        self._total, self._done, self._shown = total, Done(done), shown
        self._task = self._bar.add_task("", total=total, completed=len(done), name="starting", counts=str(self._done))
        self._next_percent = 10 * (10 * len(done) // max(total, 1) + 1)
        self._stage, self._before = "", 0
        self._bar.start()

    def stage(self, name: str, total: int, note: str = "") -> None:
        """Count the items of a stage from now on.

        Args:
            name: of the stage.
            total: of its items.
            note: what is said before it.
        """
        if note:
            self._console.print(Text(note))
        self._stage, self._total, self._before = name, total, self._done.total
        self._bar.update(self._task, total=total, completed=0, name=name, refresh=True)
        self._next_percent = 10

    def advance(self, item: Item) -> None:
        """Count an item that is done."""
        self._done.add(item)
        if not self._shown and self._done.failed == 1:
            self._shown = show_first_failure([item], self._console)
        self._bar.update(self._task, advance=1, name=self._stage or item.implementation, counts=str(self._done))
        done = self._done.total - self._before
        if not self._on_terminal and 100 * done >= self._next_percent * self._total:
            percent, stage = 100 * done // self._total, f"{self._stage}: " * bool(self._stage)
            sys.stderr.write(f"{stage}{percent:3d} % ({done} of {self._total}), {self._done}\n")
            self._next_percent = 10 * (percent // 10 + 1)

    def close(self) -> None:
        """Remove the bar."""
        self._bar.stop()


def show_first_failure(items: Iterable[Item], console: Console | None = None) -> bool:
    """Show the first failure among items, on standard error; whether there is one."""
    for item in items:
        if item.verdict == ItemVerdict.FAIL.value:
            (console or Console(file=sys.stderr)).print(Text(f"first failure: {one_line(item_line(item))}"))
            return True
    return False
