"""Dictionaries that functions are given: which keys a function asks for or writes, found by watching it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from bn_adapters.wrappers.reading.callee import Argument, Callee
from bn_adapters.wrappers.reading.roles import FORWARD_NAMES, MODE, STATE, role_named

_NOTHING = object()


class WatchedDictionary(dict[str, Any]):
    """A dictionary that notes its keys, and holds a value for each whose role is known.

    Args:
        value: gives the value of a key, and raises KeyError for one that means nothing.
    """

    def __init__(self, value: Callable[[str], Any]) -> None:
        super().__init__()
        self._given = value
        self.asked: dict[str, None] = {}

    def __missing__(self, key: str) -> Any:
        self.asked[key] = None
        return self._given(key)

    def __getitem__(self, key: str) -> Any:
        self.asked[key] = None
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: Any) -> None:
        self.asked[key] = None
        super().__setitem__(key, value)

    def __contains__(self, key: object) -> bool:
        self.asked[str(key)] = None
        return super().__contains__(key) or _is_given(self._given, str(key))

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the default."""
        self.asked[key] = None
        if dict.__contains__(self, key):
            return dict.__getitem__(self, key)
        return self._given(key) if _is_given(self._given, key) else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of a key; the default becomes it where there is none."""
        found = self.get(key, _NOTHING)
        self[key] = default if found is _NOTHING else found
        return self[key]

    def update(self, *others: Any, **more: Any) -> None:
        """Take in others."""
        for key, value in dict(*others, **more).items():
            self[key] = value


def _is_given(value: Callable[[str], Any], key: str) -> bool:
    try:
        value(key)
    except KeyError:
        return False
    return True


def keys_of(
    callee: Callee, holders: Sequence[Argument], values: Mapping[str, Any], modes: Sequence[tuple[Any, Any]]
) -> dict[str, tuple[tuple[str, str], ...]]:
    """The keys of dictionary arguments, each with its role; nothing for one that the function asks for none.

    Args:
        callee: the function.
        holders: arguments that may be dictionaries.
        values: by role.
        modes: what the mode may be in training and in inference.
    """
    asked: dict[str, dict[Any, None]] = {holder.name: {} for holder in holders}
    for pair in (*modes, (True, False)):
        done = True
        for mode in pair:
            given = {**values, MODE: mode}
            watched = {holder.name: WatchedDictionary(_values_by_key(given)) for holder in holders}
            try:
                _called_with(callee, watched, given)
            except Exception:
                done = False
            for name, dictionary in watched.items():
                asked[name] |= dictionary.asked
        if done:
            break
    return {name: found for name, keys in asked.items() if (found := _with_roles(keys))}


def _with_roles(keys: Iterable[Any]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for key in (key for key in keys if isinstance(key, str)):
        role = role_named(key, FORWARD_NAMES)
        if role and role != STATE and role not in found.values():
            found[key] = role
    return tuple(found.items())


def _values_by_key(values: Mapping[str, Any]) -> Callable[[str], Any]:
    def value(key: str) -> Any:
        role = role_named(str(key), FORWARD_NAMES)
        if not role or values.get(role) is None:
            raise KeyError(key)
        return values[role]

    return value


def _called_with(callee: Callee, watched: Mapping[str, dict[str, Any]], values: Mapping[str, Any]) -> None:
    """Call the function with dictionaries of ours in their places."""
    others = tuple(argument for argument in callee.arguments if argument.name not in watched)
    stand_in = replace(callee, arguments=others, fixed={**callee.fixed, **watched})
    with suppress(AttributeError), np.errstate(all="ignore"):
        stand_in.invoke({role: value for role, value in values.items() if role != MODE or MODE in stand_in.roles})
