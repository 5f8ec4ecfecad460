"""What a result shows: plain text, and that text in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

from markupsafe import escape
from rich.console import Console

WIDTH = 120


def printed(show: Callable[[Console], None]) -> str:
    """What is printed on a console, as plain text."""
    text = StringIO()
    show(Console(file=text, width=WIDTH, no_color=True))
    return text.getvalue().rstrip("\n")


class ShownResult:
    """A result that is shown as a text, in a notebook too. Every text of it is escaped there."""

    def __str__(self) -> str:
        """The whole result as plain text."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"
