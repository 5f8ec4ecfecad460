"""A function to call by roles: each of its arguments has one, and values go to where their role is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bn_adapters.wrappers.reading.roles import (
    CHANNELS,
    FORWARD_NAMES,
    MEAN,
    MODE,
    NUMBERS,
    RESIDUAL,
    RESIDUAL_NAMES,
    STATE,
    UNKNOWN,
    VARIANCE,
    X,
    closing_limits,
    plain_name,
    role_named,
)
from bn_adapters.wrappers.reading.sizes import SIZE_NAMES

FIXED = "fixed"
"""The role of an argument whose value the user has said."""

DICTIONARY, PAIR, NOTHING, VALUE = "a dictionary", "a pair", "None", "a value"
"""Forms in which an argument takes what it takes: a dictionary by keys, (running mean, running variance), or itself."""


@dataclass(frozen=True)
class Argument:
    """One argument of a function.

    Attributes:
        name: its own name.
        role: what it is for; UNKNOWN for what is left at its default.
        required: whether it has no default.
        default: it; None where there is none.
        form: in which it takes its value.
        keys: of a dictionary, each key with its role.
    """

    name: str
    role: str
    required: bool
    default: Any = None
    form: str = VALUE
    keys: tuple[tuple[str, str], ...] = ()

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles whose values go into it."""
        if self.form == DICTIONARY:
            return tuple(role for _, role in self.keys)
        return (MEAN, VARIANCE) if self.form == PAIR else (self.role,)


@dataclass(frozen=True)
class Callee:
    """A function and what its arguments are for.

    Attributes:
        call: the function.
        name: of the function.
        arguments: in order, those alone that are given a value somewhere.
        modes: what the mode is in training and in inference.
        fixed: values of arguments that the user named.
        positional: whether arguments are given by position alone.
        settled: whether all of it is known, so that no other reading is tried.
    """

    call: Callable[..., Any]
    name: str
    arguments: tuple[Argument, ...]
    modes: tuple[Any, Any] = (True, False)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    positional: bool = False
    settled: bool = False

    @property
    def roles(self) -> frozenset[str]:
        """All roles that have a place."""
        return frozenset(role for argument in self.arguments for role in argument.roles if role)

    def spelled(self, role: str) -> str:
        """Where a role has its place, as a person would say it."""
        for argument in self.arguments:
            if argument.form == DICTIONARY:
                for key, inside in argument.keys:
                    if inside == role:
                        return f"{argument.name}[{key!r}]"
            elif role in argument.roles:
                return argument.name if argument.form == VALUE else f"{argument.name}, a pair"
        return ""

    def has_default(self, role: str) -> bool:
        """Whether a role may be left out."""
        for argument in self.arguments:
            if role in argument.roles:
                return argument.form != VALUE or not argument.required
        return True

    def with_role(self, name: str, **changes: Any) -> Callee:
        """The same with other fields of one argument."""
        entries = (replace(entry, **changes) if entry.name == name else entry for entry in self.arguments)
        return replace(self, arguments=tuple(entries))

    def invoke(self, values: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Call it.

        Args:
            values: by role. The mode is True for training. A role without a value is left to the function.

        Returns:
            The result, and what dictionaries hold by role after the call.
        """
        given = dict(values)
        if MODE in given:
            given[MODE] = self.modes[0] if given[MODE] else self.modes[1]
        held: dict[str, dict[str, Any]] = {}
        chosen = {argument.name: self._value(argument, given, held) for argument in self.arguments}
        chosen = {name: value for name, value in chosen.items() if value is not _LEFT_OUT} | dict(self.fixed)
        result = self.call(*self._in_order(chosen)) if self.positional else self.call(**chosen)
        after = {
            role: held[argument.name][key]
            for argument in self.arguments
            if argument.form == DICTIONARY
            for key, role in argument.keys
            if key in held[argument.name]
        }
        return result, after

    def _value(self, argument: Argument, given: Mapping[str, Any], held: dict[str, dict[str, Any]]) -> Any:
        if argument.form == DICTIONARY:
            held[argument.name] = {key: given[role] for key, role in argument.keys if given.get(role) is not None}
            return held[argument.name]
        if argument.form == PAIR:
            return (given[MEAN], given[VARIANCE])
        if argument.form == NOTHING:
            return None
        if argument.role in given and (argument.role in _MAY_BE_NONE or given[argument.role] is not None):
            return given[argument.role]
        return None if argument.required and argument.role not in NUMBERS else _LEFT_OUT

    def _in_order(self, chosen: Mapping[str, Any]) -> Iterator[Any]:
        for argument in self.arguments:
            yield chosen.get(argument.name, argument.default)


_LEFT_OUT = object()
_MAY_BE_NONE = frozenset({"cache"})


def callee_of(
    function: Callable[..., Any],
    name: str,
    table: Mapping[str, tuple[str, ...]] = FORWARD_NAMES,
    first: str = "x",
    skip: int = 0,
    named: Mapping[str, str] | None = None,
    fixed: Mapping[str, Any] | None = None,
    positional: bool = False,
) -> Callee:
    """A function with the roles of its arguments, by their names.

    Args:
        function: the function.
        name: of it, for messages.
        table: names by role.
        first: the role of the first required argument where its name says nothing.
        skip: arguments at the front that the caller of `function` does not give.
        named: names of arguments by role, which the user has said.
        fixed: values of arguments, which the user has said.
        positional: whether arguments are given by position alone.

    Raises:
        ValueError: the function has no signature.
    """
    chosen = {argument: role for role, argument in (named or {}).items()}
    entries = [
        entry
        for entry in list(inspect.signature(function).parameters.values())[skip:]
        if entry.kind not in (entry.VAR_POSITIONAL, entry.VAR_KEYWORD)
    ]
    fixed = closing_limits(entry.name for entry in entries) | dict(fixed or {})
    chosen |= dict.fromkeys(fixed, FIXED)
    roles = _roles_of(entries, table, chosen, first)
    arguments = tuple(
        Argument(
            entry.name,
            role,
            entry.default is entry.empty,
            None if entry.default is entry.empty else entry.default,
        )
        for entry, role in zip(entries, roles, strict=True)
    )
    only = any(entry.kind is entry.POSITIONAL_ONLY for entry in entries)
    return Callee(function, name, arguments, fixed=fixed, positional=positional or only)


def _roles_of(
    entries: Sequence[inspect.Parameter], table: Mapping[str, tuple[str, ...]], chosen: Mapping[str, str], first: str
) -> list[str]:
    """A role for each argument: no role twice, the user's word first, the better name next."""
    found = [chosen.get(entry.name) or role_named(entry.name, table) for entry in entries]
    for index, role in enumerate(found):
        if role in (FIXED, STATE):
            continue
        rivals = [place for place, other in enumerate(found) if other == role and role]
        best = min(rivals, key=lambda place: _rank(entries[place].name, table[role], chosen)) if rivals else index
        for place in rivals:
            if place != best:
                found[place] = UNKNOWN
    sizes = [place for place, role in enumerate(found) if role in (UNKNOWN, CHANNELS) and _size(entries[place].name)]
    if len(sizes) > 1 and not any(entries[place].name in chosen for place in sizes):
        for place in sizes:
            found[place] = _size(entries[place].name)
    required = [place for place, entry in enumerate(entries) if entry.default is entry.empty]
    if first not in found and required and found[required[0]] == UNKNOWN:
        found[required[0]] = first
    for place in required if first == X else ():
        if found[place] == UNKNOWN and plain_name(entries[place].name) in RESIDUAL_NAMES:
            found[place] = RESIDUAL
            break
    return found


def _size(name: str) -> str:
    return role_named(name, SIZE_NAMES)


def _rank(name: str, aliases: Sequence[str], chosen: Mapping[str, str]) -> int:
    if name in chosen:
        return -1
    plain = plain_name(name)
    return aliases.index(plain) if plain in aliases else len(aliases)
