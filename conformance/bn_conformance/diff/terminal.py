"""A comparison of two sides on a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from bn_conformance.diff.difference import Diff, Direction
from bn_conformance.diff.tables import (
    CHECKS_HEAD,
    OUTPUTS_HEAD,
    OUTPUTS_MEANING,
    OUTPUTS_TITLE,
    check_row,
    choice_row,
    explanation,
    output_row,
    result,
    significance,
)
from bn_conformance.report.lines import Lines
from bn_conformance.text import one_line, printable

NARROWEST_TABLE = 132
"""Columns below which tables are not squeezed further: a column that goes missing is worse than a line that wraps."""

LONGEST_UNBROKEN = 48
"""Characters of a first column that is never broken into lines."""


def print_diff(diff: Diff, console: Console) -> None:
    """Print the comparison."""
    _Printer(console).print(diff)


class _Printer(Lines):
    def print(self, diff: Diff) -> None:
        self.line(f"{diff.a} (A) and {diff.b} (B)", "bold")
        self.line(f"{'✓' if diff.verified else '✕'} {diff.headline}", "green" if diff.verified else "bold red")
        self.line(significance(diff))
        self.section("Measured, since it is code of one's own", diff.measured)
        if diff.choices:
            self._table("Conventions that differ", ("convention", "A", "B"), map(choice_row, diff.choices))
            self.line("What each difference does to numbers, with A as the baseline:")
            for effect in diff.effects:
                self.line(f"{effect.choice.replace('_', ' ')}: {effect.sentence}", indent=2, hang=2)
        self._table(OUTPUTS_TITLE, OUTPUTS_HEAD, map(output_row, diff.outputs), OUTPUTS_MEANING)
        self.line(explanation(diff))
        for failure in diff.failures:
            self.line(f"not run: {failure}", indent=2, hang=2)
        for direction in diff.directions:
            self._direction(direction)

    def _direction(self, direction: Direction) -> None:
        self.title(f"From {direction.source} (A) to {direction.target} (B): {result(direction)}")
        for place, step in enumerate(direction.steps, 1):
            self.line(f"{place}. {step.title}: {step.formula}", indent=2, hang=3)
            if step.note:
                self.line(step.note, "dim", indent=5)
        self.console.print()
        code = Syntax(
            self.encodable(printable(direction.snippet)), "python", background_color="default", word_wrap=True
        )
        self.console.print(code)
        if direction.verification.checks:
            checks = map(check_row, direction.verification.checks)
            self._table("How the conversion was checked", CHECKS_HEAD, checks)

    def _table(self, title: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]], meaning: str = "") -> None:
        rows = list(rows)
        self.title(title)
        if meaning:
            self.line(meaning, "dim")
        longest = max((len(row[0]) for row in rows), default=0)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for place, heading in enumerate(head):
            unbroken = longest if place == 0 and longest < LONGEST_UNBROKEN else None
            table.add_column(heading, overflow="fold", min_width=unbroken)
        for row in rows:
            table.add_row(*(Text(self.encodable(one_line(cell))) for cell in row))
        width, self.console.width = self.console.width, max(self.console.width, NARROWEST_TABLE)
        self.console.print(table)
        self.console.width = width
