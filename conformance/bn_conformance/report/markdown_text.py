"""Pieces of GitHub Markdown that show the text of results just as it is: escaped text, tables and folded parts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from bn_conformance.text import one_line

_MARKUP = re.compile(r"([\\`*_\[\]~|$#!{}])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}


def escape(text: str, limit: int = 200) -> str:
    """Text of results on one line, as Markdown that shows just that text, within a table too."""
    safe = "".join(_ENTITIES.get(character, character) for character in one_line(text, limit))
    return _MARKUP.sub(r"\\\1", safe.replace("&#64;", "\0")).replace("\0", "&#64;")


def code(text: str) -> str:
    """Text as inline code."""
    return f"`{one_line(text, 1000).replace('`', chr(39))}`"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], align: str = "") -> str:
    """A table of escaped cells; `align` has an `r` for each column that is aligned to the right, else a dot."""
    rules = ["--:" if align[place : place + 1] == "r" else "---" for place in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rules, *rows))


def bullets(lines: Iterable[str]) -> str:
    """A list of escaped lines."""
    return "\n".join(f"- {line}" for line in lines)


def block(title: str, body: str, folded: bool = False) -> Iterator[str]:
    """A titled part, or one that is folded until it is clicked; nothing where it is empty."""
    if not body:
        return
    if folded:
        yield f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
    else:
        yield from (f"#### {title}", body)
