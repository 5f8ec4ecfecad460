"""Factories: functions that make layers, as classes whose construction calls them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from bn_conformance.targets.naming import TargetError

_CHANNELS = 3


def name_of(thing: Any) -> str:
    """What a class or function calls itself, as an identifier."""
    if isinstance(thing, functools.partial):
        return name_of(thing.func)
    name = str(getattr(thing, "__name__", type(thing).__name__))
    return name if name.isidentifier() else "factory"


def is_factory(thing: Any) -> bool:
    """Whether an object is a function, or a partial call, and so may make layers."""
    return inspect.isroutine(thing) or isinstance(thing, functools.partial)


def class_from(factory: Callable[..., Any]) -> type:
    """A class whose construction calls a factory, with the factory's signature.

    Raises:
        TargetError: the factory makes nothing for three channels, nor without arguments.
    """
    made, reason = None, ""
    for arguments in ((_CHANNELS,), ()):
        try:
            made = factory(*arguments)
        except Exception as error:
            reason = reason or f"{type(error).__name__}: {' '.join(str(error).split())}"
        else:
            break
    name = name_of(factory)
    if made is None:
        why = f"{name}({_CHANNELS}) " + (f"raised {reason}" if reason else "gives None")
        raise TargetError(f"{why}; a factory makes a layer of a number of channels")

    def new(cls: type, *arguments: Any, **keywords: Any) -> Any:
        return factory(*arguments, **keywords)

    def init(self: Any, *arguments: Any, **keywords: Any) -> None:
        """Never called: what `new` gives is no instance of this class."""

    own = inspect.signature(factory)
    first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    parameters = [entry for entry in own.parameters.values() if entry.kind is not entry.POSITIONAL_ONLY]
    init.__signature__ = own.replace(parameters=[first, *parameters])  # type: ignore[attr-defined]
    return type(name, (type(made),), {"__new__": new, "__init__": init, "__module__": factory_module(factory)})


def factory_module(factory: Any) -> str:
    """The module in which a factory was defined."""
    return str(getattr(getattr(factory, "func", factory), "__module__", None) or "__main__")
