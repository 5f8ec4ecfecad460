"""Texts and JSON from files that nobody vouches for: bounded in size and depth, with a reason in a line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

DEEPEST = 64
"""Levels of lists and objects within one another; no file of the suite has ten."""


class UnusableText(ValueError):
    """A text cannot be used; the message is a predicate such as `is not UTF-8 text`."""


def at_once(name: str, flags: int) -> int:
    """An opener for `open` that does not wait for the other end of a named pipe.

    A pipe without a writer reads as an empty file; one without a reader cannot be written.
    """
    descriptor = os.open(name, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
    os.set_blocking(descriptor, True)
    return descriptor


def text_of(path: str | Path, largest: int) -> str:
    """The text of a file, a byte order mark left out. No more of it is read than is allowed, whatever it is.

    Args:
        path: of the file.
        largest: bytes that it may have.

    Raises:
        UnusableText: it cannot be read, is larger, or is not UTF-8.
    """
    try:
        with open(path, "rb", opener=at_once) as stream:
            content = stream.read(largest + 1)
    except OSError as error:
        raise UnusableText(f"cannot be read ({error.strerror})") from None
    except ValueError:  # a name that no file can have
        raise UnusableText("cannot be read (no file has such a name)") from None
    if len(content) > largest:
        raise UnusableText(f"is larger than {largest:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableText("is not UTF-8 text") from None


def json_of(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        UnusableText: it is no JSON, is nested too deeply, or holds an integer that is too long.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableText(f"is not JSON ({why_not_json(error)})") from None
    if not within_depth(value):
        raise UnusableText("is not JSON of ours (nested too deeply)")
    return value


def why_not_json(error: Exception) -> str:
    """Why JSON could not be parsed, in a few words."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}: line {error.lineno} column {error.colno}"
    return "an integer has too many digits"


def within_depth(value: Any) -> bool:
    """Whether lists and objects lie no deeper within one another than `DEEPEST`; what reads them may recurse then."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            entry
            for member in level
            if isinstance(member, list | dict)
            for entry in (member.values() if isinstance(member, dict) else member)
            if isinstance(entry, list | dict)
        ]
        if not level:
            return True
    return False
