"""Kinds of code that are judged without an adapter: `torch-module=my_layers.py:MyBatchNorm`.

What follows the equals sign is the user's code; changes of the kind's convention may follow it, each after a plus sign:
`torch-module=my_layers.py:MyBatchNorm+running_variance=biased+momentum_weighs=old`. A kind is registered by an entry
point; whoever registers it makes an adapter of the code. Kinds know frameworks, and nothing here does.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from bn_conformance.adapter import Adapter, Convention
from bn_conformance.targets.naming import TargetError, kind_of
from bn_reference.specification.convention import CHOICES

GROUP = "bnconform.kinds"
"""The entry point group in which distributions register kinds, by name; a name has a hyphen."""

_CHANGE = re.compile(r"\+([A-Za-z_]+=[^+=]*)$")


@dataclass(frozen=True)
class Kind:
    """A kind of code that can be judged as it is.

    Attributes:
        expects: what such code is, in a few words.
        adapter: makes an adapter class of the code, given as `file.py:Class` or `module:Class`. Runs in a worker
            process, may import and run the code, and raises `TargetError` in one line where that is not of its kind.
        requires: import names that must be importable.
        install: the command that installs them.
        environment: what must be set before the code is imported.
    """

    expects: str
    adapter: Callable[[str], type[Adapter]]
    requires: tuple[str, ...]
    install: str
    environment: Callable[[], Mapping[str, str]] = dict


@cache
def kinds() -> dict[str, str]:
    """The registered kinds: name to what registers it."""
    return {point.name: point.value for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def kind_named(name: str) -> Kind:
    """A kind.

    Raises:
        TargetError: there is none of this name, or what it needs is not installed.
    """
    if name not in kinds():
        raise TargetError(f"there is no kind {name!r}; there are {', '.join(kinds())}")
    (point,) = entry_points(group=GROUP, name=name)
    kind: Kind = point.load()
    missing = [module for module in kind.requires if importlib.util.find_spec(module) is None]
    if missing:
        raise TargetError(f"{name} needs {' and '.join(missing)}, which is not installed; run: {kind.install}")
    return kind


def spelled(kind: str, code: str, changes: Iterable[str] = ()) -> str:
    """The target of code that is of a kind, with changes `NAME=VALUE` of the kind's convention.

    Raises:
        TargetError: there is no such kind, the code names a kind itself, or a change is not declarable.
    """
    if kind_of(code) is not None:
        raise TargetError(f"{code} names its kind already; leave out --as")
    if kind not in kinds():
        raise TargetError(f"there is no kind {kind!r}; there are {', '.join(kinds())}")
    chosen = list(changes)
    _parsed(chosen)
    return "+".join([f"{kind}={code}", *chosen])


def environment_of(target: str) -> Mapping[str, str]:
    """What must be set before a target is imported; nothing for an adapter, which says so itself later.

    Raises:
        TargetError: the target is of a kind that there is not, or that cannot run here.
    """
    found = kind_of(target)
    return {} if found is None else kind_named(found[0]).environment()


def adapter_of(target: str) -> type[Adapter]:
    """The adapter class of a target `KIND=CODE`, with its changes made to the kind's convention.

    Raises:
        TargetError: there is no such kind, the code is not of it, or a change is not declarable.
    """
    found = kind_of(target)
    assert found is not None
    name, code = found
    kind = kind_named(name)
    changes: list[str] = []
    while change := _CHANGE.search(code):
        changes.insert(0, change[1])
        code = code[: change.start()]
    if not code:
        raise TargetError(f"{target} names no code; give {name}=path/to/file.py:NAME, where NAME is {kind.expects}")
    values = _parsed(changes)
    adapter = kind.adapter(code)
    return type(adapter.__name__, (adapter,), {"convention": changed(adapter.convention, values)})


def _parsed(changes: Iterable[str]) -> dict[str, Any]:
    """Fields of the convention and their values.

    Raises:
        TargetError: there is no such field, or the value is not one that it may have.
    """
    known = [entry.name for entry in fields(Convention)]
    values: dict[str, Any] = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise TargetError(f"{change!r} is no choice of a convention; write NAME=VALUE, as running_variance=biased")
        if name not in known:
            raise TargetError(f"a convention has no field {name!r}; it has {', '.join(known)}")
        if name in values:
            raise TargetError(f"{name} is given twice; give it once")
        values[name] = _value(name, text)
    return values


def _value(name: str, text: str) -> Any:
    """The value that a text means for a field.

    Raises:
        TargetError: it is not declarable.
    """
    if name in CHOICES:
        for allowed in CHOICES[name]:
            if text.lower() in _spellings(allowed):
                return allowed
        shown = ", ".join(shown_value(allowed) for allowed in CHOICES[name])
        raise TargetError(f"{name} is {text!r}; declarable are {shown}")
    if text.lower() == "none":
        return None
    try:
        value = float(text)
    except ValueError:
        raise TargetError(f"{name} is {text!r}; declarable is a number, or none where there is no default") from None
    changed(Convention(), {name: value})
    return value


def _spellings(value: Any) -> set[str]:
    if isinstance(value, bool):
        return {"true", "yes"} if value else {"false", "no"}
    return {f"{value:g}", str(value)} if isinstance(value, float) else {str(value)}


def shown_value(value: Any) -> str:
    """A value of a convention as it is written after NAME=."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def changed(convention: Convention, values: Mapping[str, Any]) -> Convention:
    """A convention with other values.

    Raises:
        TargetError: they are not declarable together.
    """
    try:
        return replace(convention, **values)
    except ValueError as error:
        raise TargetError(str(error)) from None
