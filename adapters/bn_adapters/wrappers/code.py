"""A user's code: the class or the functions that a target names, and what a constructor takes."""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bn_conformance.adapter import Convention, LayerConfig
from bn_conformance.targets.errors import error_place
from bn_conformance.targets.factories import class_from, is_factory
from bn_conformance.targets.loading import module_of
from bn_conformance.targets.naming import TargetError, module_and_class
from bn_conformance.text import one_line as text_on_one_line

_COLOUR = re.compile("\x1b\\[[0-9;]*m")
"""What some frameworks put around words of their messages."""


_MISTAKES = (AttributeError, NameError, UnboundLocalError)
"""Errors that no input is to blame for: a name that does not exist."""


def error_line(error: BaseException) -> str:
    """An exception as a person reads it, in a line of moderate length, without colours."""
    try:
        text = text_on_one_line(_COLOUR.sub("", str(error)), 200)
    except Exception:
        text = "(its text cannot be read)"
    line = f"{type(error).__name__}: {text}" if text else type(error).__name__
    place = error_place(error) if isinstance(error, _MISTAKES) else ""
    return f"{line} ({place})" if place else line


def mistake_among(refusals: Mapping[int, str]) -> str:
    """A mistake in the code, said alone: the first refusal that is an error of a name; empty where none is.

    Args:
        refusals: lines of `error_line` by the rank of x. Other ranks are refused for good reasons, which hide it.
    """
    wrong = {rank: why for rank, why in refusals.items() if why.startswith(tuple(one.__name__ for one in _MISTAKES))}
    if not wrong:
        return ""
    rank, why = next(iter(wrong.items()))
    where = "" if len(wrong) == len(refusals) else f"at rank {rank} "
    return f"{where}it raises {why}; mend it first"


def stem(module: types.ModuleType) -> str:
    """What a module is called in reports: the name of its file, or its own."""
    return Path(module.__file__).stem if module.__file__ else module.__name__


def framework_class(module: str, name: str) -> type | None:
    """A class of a framework that is imported already; None where it is not."""
    found = getattr(sys.modules.get(module), name, None)
    return found if inspect.isclass(found) else None


def is_or_makes(thing: object, base: type | None) -> bool:
    """Whether a thing is a class that derives from a base, or an instance of one; never where there is no base."""
    return base is not None and (issubclass(thing, base) if inspect.isclass(thing) else isinstance(thing, base))


def class_of(
    code: str, bases: type | types.UnionType, expected: str, accepts: Callable[[Any], bool] = bool
) -> tuple[type, str]:
    """The class that `file.py:Class` names, or the only one that a file derives from a base, and its name in reports.

    Args:
        code: names the class, an instance of it, or a function that makes one.
        bases: that the class derives from.
        expected: what it is, for messages.
        accepts: whether a class that does is meant.

    Raises:
        TargetError: there is no such class, it is not what is expected, or several are.
    """
    place, attribute = module_and_class(code)
    module = module_of(place)
    own = [
        name
        for name, value in vars(module).items()
        if _defined_in(value, module) and issubclass(value, bases) and accepts(value)
    ]
    if not attribute:
        if len(own) != 1:
            raise TargetError(
                f"{place} defines {len(own)} classes that are {expected}{_list(own)}; name one: {place}:NAME"
            )
        attribute = own[0]
    found = getattr(module, attribute, None)
    if found is None:
        raise TargetError(f"{place} has no {attribute}; it defines {len(own)} that are {expected}{_list(own)}")
    if not inspect.isclass(found) and accepts is not bool:
        found = _class_behind(found, accepts(found))
    if not (inspect.isclass(found) and issubclass(found, bases) and accepts(found)):
        what = "a class" if inspect.isclass(found) else f"a {type(found).__name__}"
        raise TargetError(f"{attribute} in {place} is {what}, and not {expected}")
    return found, f"{stem(module)}.{attribute}"


def _class_behind(thing: Any, accepted: bool) -> Any:
    """The class of an object, or of what a function makes; a function that makes nothing stays what it is.

    Args:
        thing: no class.
        accepted: whether it is recognised from outside.
    """
    if not is_factory(thing):
        return type(thing) if accepted else thing
    try:
        return class_from(thing)
    except TargetError:
        if accepted:
            raise
        return thing


def _defined_in(value: Any, module: types.ModuleType) -> bool:
    return inspect.isclass(value) and value.__module__ == module.__name__


def _list(names: list[str]) -> str:
    return f" ({', '.join(names)})" if names else ""


@dataclass(frozen=True)
class Constructor:
    """What a class is built from.

    Attributes:
        built: the class.
        names: what the suite calls an argument, to what the class calls it.
        defaults: what the suite calls an argument, to its default; without those that have none.
        fixed: values of further arguments, by the class's own names.
    """

    built: type
    names: Mapping[str, str]
    defaults: Mapping[str, Any]
    fixed: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def arguments(self, **chosen: Any) -> dict[str, Any]:
        """Keyword arguments by the class's own names, of those that it takes."""
        return {self.names[name]: value for name, value in chosen.items() if name in self.names} | dict(self.fixed)

    def described(self, *names: str) -> str:
        """The arguments that it takes of some, by the class's own names, with the defaults of eps and momentum."""
        found = []
        for name in names:
            if name in self.names:
                default = self.number(name) if name in ("eps", "momentum") else None
                found.append(self.names[name] + ("" if default is None else f"={default:g}"))
        return ", ".join(found) or "no arguments"

    def chosen(self, config: LayerConfig, convention: Convention) -> dict[str, Any]:
        """The eps and the momentum that a configuration sets, the momentum in the class's own direction."""
        found: dict[str, Any] = {}
        if config.eps is not None:
            found["eps"] = config.eps
        if config.momentum is not None:
            found["momentum"] = config.keep if convention.momentum_weighs == "old" else config.momentum
        return found

    def refusal(self, config: LayerConfig, convention: Convention) -> str | None:
        """Why a configuration's eps or momentum cannot be had; None where they can."""
        for name in ("eps", "momentum"):
            if getattr(config, name) is None:
                if getattr(convention, f"default_{name}") is None:
                    return f"the class has no default {name}"
            elif name not in self.names:
                return f"the constructor takes no argument for {name}"
        return None

    def number(self, name: str) -> float | None:
        """The default of an argument where that is a number."""
        value = self.defaults.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def constructor(
    built: type,
    known: Mapping[str, tuple[str, ...]],
    first: str,
    expected: str,
    fixed: Mapping[str, Any] = MappingProxyType({}),
) -> Constructor:
    """What a class is built from, read from its signature (and from those of its bases where it takes `**kwargs`).

    Args:
        built: the class.
        known: what the suite calls an argument, to names that it may have.
        first: what its first positional argument is, whatever its name; empty where that means nothing.
        expected: what a class of this kind is built from, for messages.
        fixed: values of further arguments, by their names.

    Raises:
        TargetError: it cannot be built from that: another argument is required.
    """
    found = parameters_of(built)
    names = {
        what: alias
        for what, aliases in known.items()
        for alias in aliases[::-1]
        if alias in found and alias not in fixed
    }
    positional = [entry for entry in found.values() if entry.kind is not entry.KEYWORD_ONLY]
    if first and first not in names and positional and positional[0].name not in names.values():
        names[first] = positional[0].name
    required = [entry.name for entry in found.values() if entry.default is entry.empty]
    beyond = [name for name in required if name not in names.values() and name not in fixed]
    if beyond:
        raise TargetError(f"{built.__name__} needs {', '.join(beyond)}; {expected}")
    defaults = {what: found[name].default for what, name in names.items() if name not in required}
    return Constructor(built, names, defaults, fixed)


def parameters_of(built: type) -> dict[str, inspect.Parameter]:
    """Parameters of a constructor; where it takes `**kwargs`, those of its bases' constructors too."""
    found: dict[str, inspect.Parameter] = {}
    for base in built.__mro__:
        if "__init__" not in vars(base) or base is object:
            continue
        entries = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        for entry in entries:
            if entry.kind not in (entry.VAR_KEYWORD, entry.VAR_POSITIONAL):
                found.setdefault(entry.name, entry)
        if not any(entry.kind is entry.VAR_KEYWORD for entry in entries):
            break
    return found


def number_or_none(value: Any) -> float | None:
    """A number as it is; None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
