"""Lines on a terminal: text of results that no terminal can misread, wrapped to its width, in its encoding."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from bn_conformance.text import one_line

_ASCII = str.maketrans({"✓": "+", "▲": "!", "✕": "x", "◆": "*", "–": "-", "…": "."})

BESIDE = "   "
"""What stands between texts on one line."""


class Lines:
    """Writes lines to a console. Text of results is never taken as markup."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.ascii_only = console.options.ascii_only

    def line(self, text: str, style: str = "", indent: int = 0, hang: int = 0) -> None:
        """A line, wrapped; lines after the first are indented by `hang` more."""
        shown = Text(self.encodable(one_line(text, 1000)), style=style, overflow="fold")
        width = max(self.console.width - indent - hang, 1)
        for place, part in enumerate(shown.wrap(self.console, width)):
            part.rstrip()
            margin = indent + hang * (place > 0)
            self.console.print(Padding(part, (0, 0, 0, margin), expand=False), highlight=False)

    def beside(self, parts: Iterable[tuple[str, str]]) -> None:
        """Texts with their styles beside one another; a line ends between two of them only."""
        row = Text()
        for text, style in parts:
            part = Text(self.encodable(one_line(text)), style=style)
            if row and row.cell_len + len(BESIDE) + part.cell_len > self.console.width:
                self.console.print(row, highlight=False)
                row = Text()
            row = Text.assemble(row, BESIDE if row else "", part)
        self.console.print(row, highlight=False)

    def command(self, text: str, indent: int = 0) -> None:
        """A command to copy: never broken into lines."""
        shown = Text(" " * indent + self.encodable(one_line(text, 1000)), style="cyan")
        self.console.print(shown, highlight=False, soft_wrap=True)

    def title(self, text: str, style: str = "bold") -> None:
        """An empty line and a title."""
        self.console.print()
        self.line(text, style)

    def section(self, title: str, lines: Iterable[str], style: str = "bold") -> None:
        """A title and lines under it; nothing where there are no lines."""
        for place, line in enumerate(lines):
            if place == 0:
                self.title(title, style)
            self.line(line, indent=2, hang=2)

    def glossary(self, title: str, rows: Iterable[tuple[str, str]]) -> None:
        """Words, each with its meaning in a line; nothing where there are none."""
        rows = list(rows)
        if not rows:
            return
        self.title(title)
        table = Table.grid(Column(overflow="fold"), Column(overflow="fold"), padding=(0, 2, 0, 0))
        for word, meaning in rows:
            table.add_row(*(Text(self.encodable(one_line(text)), style="dim") for text in (word, meaning)))
        self.console.print(Padding(table, (0, 0, 0, 2)), highlight=False)

    def encodable(self, text: str) -> str:
        """The text as the terminal's encoding can show it."""
        return text.translate(_ASCII).encode("ascii", "replace").decode() if self.ascii_only else text
