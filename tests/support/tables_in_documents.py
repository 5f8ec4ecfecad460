"""Tables that a program writes into a document, between two marks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

BOUNDS = Path("reference/bn_reference/BOUNDS.md")


def marks(name: str) -> tuple[str, str]:
    """The comments around a table."""
    return f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"


def kept_table(name: str, document: Path = BOUNDS) -> list[str]:
    """The lines of a table as the document has it."""
    begin, end = marks(name)
    return document.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0].strip().splitlines()


def write_table(name: str, lines: Sequence[str], document: Path = BOUNDS) -> None:
    """Write the table anew."""
    begin, end = marks(name)
    before, _, rest = document.read_text(encoding="utf-8").partition(begin)
    whole = before + begin + "\n" + "\n".join(lines) + "\n\n" + end + rest.partition(end)[2]
    document.write_text(whole, encoding="utf-8")
