"""Exceptions of somebody else's code, in words."""

from __future__ import annotations

from bn_conformance.text import one_line

TEXT_LIMIT = 2000
"""Characters of an exception's text that are kept."""


def error_text(error: BaseException) -> str:
    """The text of an exception on one line that can be shown anywhere, whatever its own `__str__` does."""
    try:
        return one_line(str(error), TEXT_LIMIT)
    except Exception:
        return "(its text cannot be read)"


def described_error(error: BaseException) -> str:
    """The type and the text of an exception on one line."""
    name, text = one_line(type(error).__name__), error_text(error)
    return f"{name}: {text}" if text else name
