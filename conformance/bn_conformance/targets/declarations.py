"""What an adapter may declare: a table of its attributes, held against a class before anything reads them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from typing import Any

from bn_conformance.adapter import Adapter, Capabilities, Convention
from bn_conformance.targets.naming import TargetError
from bn_conformance.text import one_line, printable
from bn_reference.arithmetic.formats import FORMATS

NAME_LIMIT = 200
"""Characters of a name."""

TEXT_LIMIT = 2000
"""Characters of any other text, and entries of a collection of them."""

_MODES = ("training", "inference")
_ALLOWED: Mapping[str, Collection[Any]] = {
    "dtypes": tuple(FORMATS),
    "mixed": tuple((narrow, wide) for narrow in FORMATS for wide in FORMATS),
    "ranks": (2, 3, 4, 5),
    "layouts": ("first", "last", "between"),
    "modes": _MODES,
    "gradients": _MODES,
    "affine": ("both", "none", "gamma", "beta"),
    "second_order": _MODES,
    "saved_statistics": ("forward", "backward"),
    "literals": ("eps", "momentum"),
    "shards": ("equal", "unequal", "empty", "masked"),
}
"""What collections of capabilities may hold; the other capabilities are True or False, but for `devices`."""


def check_declarations(adapter: type[Adapter], target: str) -> None:
    """Hold the attributes of an adapter class against the table.

    Raises:
        TargetError: one is of a wrong type, or holds what nobody can declare.
    """
    for name, (words, holds) in _ATTRIBUTES.items():
        value = getattr(adapter, name, ())
        if not holds(value):
            raise TargetError(f"{target} declares {name} as {_shown(value)}; expected {words}")
    check_capabilities(adapter.capabilities, target)


def check_capabilities(capabilities: Capabilities, target: str) -> None:
    """Hold each capability against what it may be.

    Raises:
        TargetError: one is of a wrong type, or holds what nobody can declare.
    """
    for entry in fields(Capabilities):
        _check_capability(target, entry.name, getattr(capabilities, entry.name))


def _check_capability(target: str, name: str, value: Any) -> None:
    what = f"{target} declares capabilities.{name} as {_shown(value)}"
    if name == "devices":
        if not _are_texts(value):
            raise TargetError(f"{what}; expected a tuple of texts")
    elif name not in _ALLOWED:
        if not isinstance(value, bool):
            raise TargetError(f"{what}; expected True or False")
    elif not isinstance(value, frozenset | set | tuple | list):
        raise TargetError(f"{what}; expected a frozenset")
    else:
        unknown = [entry for entry in value if entry not in _ALLOWED[name]]
        if unknown:
            allowed = ", ".join(map(str, _ALLOWED[name])) if name != "mixed" else "pairs of formats"
            raise TargetError(f"{what}; {_shown(unknown[0])} is not among {allowed}")


def _shown(value: Any) -> str:
    try:
        return one_line(repr(value), 80)
    except Exception:
        return f"an object of type {type(value).__name__}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= TEXT_LIMIT and printable(value) == value


def _is_name(value: Any) -> bool:
    return _is_text(value) and 0 < len(value) <= NAME_LIMIT and value == " ".join(value.split())


def _are_texts(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) <= TEXT_LIMIT and all(map(_is_text, value))


def _are_variables(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        _is_text(name) and _is_text(text) and name and "=" not in name for name, text in value.items()
    )


_ATTRIBUTES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "name": (f"a text on one line, of at most {NAME_LIMIT} characters", _is_name),
    "convention": ("a Convention", lambda value: isinstance(value, Convention)),
    "capabilities": ("a Capabilities", lambda value: isinstance(value, Capabilities)),
    "framework": ("a text", _is_text),
    "environment": ("texts by name", _are_variables),
    "requires": ("a tuple of texts", _are_texts),
    "install": ("a text", _is_text),
    "distributions": ("a tuple of texts", _are_texts),
    "group": ("'default', 'more' or 'examples'", lambda value: value in ("default", "more", "examples")),
    "notes": ("a tuple of texts", _are_texts),
    "inherits": ("a tuple of texts", _are_texts),
}
