"""Exceptions of somebody else's code, in words."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from traceback import walk_tb

from bn_conformance.text import one_line

TEXT_LIMIT = 2000
"""Characters of an exception's text that are kept."""


def error_text(error: BaseException) -> str:
    """The text of an exception on one line that can be shown anywhere, whatever its own `__str__` does."""
    try:
        return one_line(str(error), TEXT_LIMIT)
    except Exception:
        return "(its text cannot be read)"


def error_place(error: BaseException) -> str:
    """The file and the line that an exception comes from, as `my_adapter.py, line 12`; empty where it has no line.

    It is the innermost line that no installed library holds, and of no such line the innermost one of all.
    """
    try:
        places = [(Path(frame.f_code.co_filename), line) for frame, line in walk_tb(error.__traceback__)]
    except Exception:  # an exception may be somebody's own class in everything
        return ""
    own = [place for place in places if not _is_installed(place[0])]
    if not places:
        return ""
    file, line = (own or places)[-1]
    return f"{one_line(file.name)}, line {line}"


def _is_installed(file: Path) -> bool:
    """Whether a file is of an installed library, of Python or of the suite, which calls what raised."""
    inside = any(file.is_relative_to(folder) for folder in (_PYTHON, _SUITE))
    return inside or not file.is_absolute() or not {"site-packages", "dist-packages"}.isdisjoint(file.parts)


_PYTHON, _SUITE = sysconfig.get_path("stdlib"), Path(__file__).parents[1]


def described_error(error: BaseException) -> str:
    """The type and the text of an exception on one line."""
    name, text = one_line(type(error).__name__), error_text(error)
    return f"{name}: {text}" if text else name
