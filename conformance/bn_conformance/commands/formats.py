"""In which format a command writes: as `--format` says, or as the file is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from bn_conformance.user_error import UserError

_ENDINGS = (
    ("badge.json", "badge-json"),
    ("annotations.txt", "annotations"),
    (".html", "html"),
    (".htm", "html"),
    (".md", "markdown"),
    (".markdown", "markdown"),
    (".json", "json"),
    (".json", "ctrf"),
    (".svg", "badge-svg"),
    (".txt", "terminal"),
)
"""How names of files end, each with a format. Of two that fit a name and are at hand the first is meant."""


def format_for(output: str, formats: Sequence[str]) -> str:
    """The format of a file where none was asked for.

    Args:
        output: the name of the file; empty or `-` where there is none.
        formats: that the command has, of which the first is the default.

    Raises:
        UserError: the name says another format than these, or one that nobody knows, and the default is no plain text.
    """
    ending = PurePath(output).suffix
    for end, name in _ENDINGS:
        if output.lower().endswith(end) and name in formats:
            return name
    if ending and (formats[0] != "terminal" or _of(output)):
        raise UserError(f"-o {output}: no format here has a name in {ending}; name the file otherwise, or say --format")
    return formats[0]


def contradiction(output: str, chosen: str) -> str:
    """What is to be said where a file is named as other formats are, and not as the chosen one; empty elsewhere."""
    named = _of(output)
    return f"{output} holds {chosen}, as --format says" if named and chosen not in named else ""


def _of(output: str) -> set[str]:
    """The formats whose names end as that of a file does."""
    ending = PurePath(output).suffix.lower()
    return {name for end, name in _ENDINGS if ending and end.endswith(ending)}
