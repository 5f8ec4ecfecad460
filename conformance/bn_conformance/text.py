"""Text of results as a person may be shown it: control characters made visible, numbers short, anchors unique.

Names and messages come from adapters and frameworks. Each report escapes them for its own format. Here they lose what
no format can show safely: terminal escapes, direction overrides and lone surrogates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from math import isfinite, isnan
from typing import Any

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_COLOUR = re.compile(r"(?:\x1b|\\x1b)\[[0-9;:]*m")
"""A colour of a terminal, as it is sent or as a results file may already hold it: made visible."""

_NOT_SLUG = re.compile(r"[^a-z0-9]+")


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def printable(text: str) -> str:
    r"""The text without colours of a terminal; what else could disturb its display becomes an escape.

    An escape is such as `\x07`. Newlines stay.
    """
    return _UNSAFE.sub(_visible, _COLOUR.sub("", text.replace("\r\n", "\n")))


def one_line(text: str, limit: int = 300) -> str:
    """The text on one line, safe to display, cut off at a number of characters."""
    flat = printable(" ".join(text.split()))
    return flat if len(flat) <= limit else f"{flat[: limit - 1]}…"


def number(value: float | None, digits: int = 2) -> str:
    """A number in a few significant digits (`3.1e5`, `0.25`), empty for None."""
    if value is None:
        return ""
    if not isfinite(value):
        return "NaN" if isnan(value) else "inf" if value > 0 else "-inf"
    short = f"{value:.{digits}g}"
    if "e" not in short:
        return short
    mantissa, exponent = short.split("e")
    return f"{value:.0f}" if 0 <= int(exponent) <= 3 else f"{mantissa}e{int(exponent)}"


def exact_number(value: float | None) -> str:
    """A number in all its digits, empty for None."""
    return "" if value is None else repr(float(value)) if isfinite(value) else number(value)


def percent(part: float, whole: float) -> str:
    """A share in percent; `under 0.1 %` rather than a rounded zero."""
    if not whole or not part:
        return "0 %"
    share = 100.0 * part / whole
    return "under 0.1 %" if share < 0.1 else f"{share:.3g} %" if share < 99.95 or part == whole else "over 99.9 %"


def counted(count: int, noun: str, plural: str = "") -> str:
    """A count with its noun: `1 case`, `2 cases`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """The end of a sentence about a name that is not there: what it may mean, or else `otherwise`.

    Args:
        name: that was given.
        known: names that exist.
        otherwise: what to do, or what there is.
    """
    names = list(known)
    bare = name.casefold()
    near = [one for one in names if bare and bare in one.casefold()][:3] or get_close_matches(name, names, 2)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; {otherwise}"


def element(index: tuple[int, ...] | None) -> str:
    """The index of an element as one would write it: `[1, 0, 2]`; empty for None."""
    return "" if index is None else f"[{', '.join(map(str, index))}]"


def plain(value: Any) -> str:
    """A JSON value as a person would write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value, 6)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(entry)}" for key, entry in value.items()) or "none"
    if isinstance(value, list | tuple):
        parts = ("/".join(map(plain, entry)) if isinstance(entry, list | tuple) else plain(entry) for entry in value)
        return ", ".join(parts) or "none"
    return str(value)


def slugs(prefix: str, names: Iterable[str]) -> dict[str, str]:
    """An anchor for each name, unique among them and safe in HTML and URLs."""
    anchors: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        base = f"{prefix}-{_NOT_SLUG.sub('-', name.lower()).strip('-') or 'x'}"
        anchor, count = base, 1
        while anchor in taken:
            count += 1
            anchor = f"{base}--{count}"
        taken.add(anchor)
        anchors[name] = anchor
    return anchors
