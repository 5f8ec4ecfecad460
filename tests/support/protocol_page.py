"""The table of operations in conformance/PROTOCOL.md; run as a program, it writes the table anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields
from inspect import getdoc
from pathlib import Path
from typing import Any, get_type_hints

from bn_conformance.hosting.messages import result_type
from bn_conformance.hosting.operations import OPERATIONS, Call
from bn_conformance.hosting.typed import words_of

PAGE = Path(__file__).parents[2] / "conformance" / "PROTOCOL.md"
BEGIN, END = "<!-- operations -->\n", "<!-- end of operations -->"


def table() -> str:
    return "\n".join(["| operation | arguments | result |", "|---|---|---|", *rows(), ""])


def rows() -> Iterator[str]:
    for name, operation in OPERATIONS.items():
        arguments = ", ".join(arguments_of(operation))
        yield f"| `{name}`: {getdoc(operation)} | {arguments} | {words_of(result_type(operation))} |"


def arguments_of(operation: type[Call[Any]]) -> Iterator[str]:
    hints = get_type_hints(operation)
    for entry in fields(operation):  # type: ignore[arg-type]
        text = f"`{entry.name}` {words_of(hints[entry.name])}"
        yield text if entry.default is MISSING else f"[{text}]"


def with_table(page: str) -> str:
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
