"""Exceptions of somebody else's code, in words."""

from __future__ import annotations

from bn_conformance.text import one_line


def described_error(error: BaseException) -> str:
    """An exception of somebody else's code on one line, whatever its own text does."""
    try:
        text = one_line(str(error), 1000)
    except Exception:
        text = "its text cannot be read"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
