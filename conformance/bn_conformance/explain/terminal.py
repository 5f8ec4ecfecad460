"""An explanation on a terminal, and as plain text."""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bn_conformance.explain import tables
from bn_conformance.explain.explanation import ExplainedStep
from bn_conformance.report.lines import Lines
from bn_conformance.text import one_line

NARROWEST_TABLE = 100
TEXT_WIDTH = 120
STYLES = {"✓": "green", "✕": "bold red", "–": "yellow"}


def print_explanation(told: ExplainedStep, console: Console) -> None:
    """Print an explanation."""
    _Printer(console).print(told)


def explanation_text(told: ExplainedStep) -> str:
    """An explanation as plain text."""
    text = StringIO()
    print_explanation(told, Console(file=text, width=TEXT_WIDTH, no_color=True))
    return text.getvalue().rstrip("\n")


class _Printer(Lines):
    def print(self, told: ExplainedStep) -> None:
        shape = "x".join(map(str, told.shape))
        self.line(f"{told.source}: one step of batch normalisation, x of {shape}", "bold")
        line = tables.headline(told)
        self.line(line, STYLES[line[0]])
        self.section("What was taken as what", tables.taken_lines(told))
        self._table("How it was read", ("choice", "value", "how"), map(tables.setting_row, told.settings))
        if told.arrays:
            self._table("Within the bounds?", tables.ARRAYS_HEAD, map(tables.array_row, told.arrays))
        for one in tables.told_of(told):
            rows = map(tables.element_row, one.worst)
            self._table(f"The worst elements of {one.role}", tables.WORST_HEAD, rows)
        if rest := tables.worst_rows(told):
            self._table("The worst element of each array within the bounds", tables.WORST_HEAD, rest)
        self.section("Which mistake gives these numbers", tables.cause_lines(told))
        self.title("Is it the layer, or what went in?")
        self.line(tables.condition_sentence(told))
        if sentence := tables.other_sentence(told):
            self.line(sentence)
        gravest = tables.gravest(told)
        title = f"What an error of {told.error:g} in x becomes in y (the worst {len(gravest)} channels)"
        self._table(title, tables.CONDITION_HEAD, map(tables.condition_row, gravest))
        if any(one.other is not None for one in gravest):
            self._table("The difference to the other y", tables.OTHER_HEAD, map(tables.other_row, gravest))

    def _table(self, title: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
        self.title(title)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in head:
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*(Text(self.encodable(one_line(cell))) for cell in row))
        width, self.console.width = self.console.width, max(self.console.width, NARROWEST_TABLE)
        self.console.print(table)
        self.console.width = width
