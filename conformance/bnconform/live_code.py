"""Objects of a running program under a name, so that wrappers can load them as they load code of a file."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from bn_conformance.targets.naming import TargetError

_NUMBERS = count(1)
_CHANNELS = 3


@contextmanager
def held(objects: Mapping[str, Any], title: str) -> Iterator[str]:
    """A module that holds objects, within the block.

    Args:
        objects: by the names that they have in the module.
        title: what the module is called in messages and reports.

    Returns:
        The name under which the module can be imported.
    """
    module = ModuleType(title)
    module.__file__ = None
    vars(module).update(objects)
    name = f"bnconform_live_{next(_NUMBERS)}"
    sys.modules[name] = module
    try:
        yield name
    finally:
        del sys.modules[name]


def name_of(thing: Any) -> str:
    """What a class or function calls itself, as an identifier."""
    if isinstance(thing, functools.partial):
        return name_of(thing.func)
    name = str(getattr(thing, "__name__", type(thing).__name__))
    return name if name.isidentifier() else "factory"


def title_of(thing: Any) -> str:
    """The module in which a class or function was defined, without its packages."""
    if isinstance(thing, functools.partial):
        return title_of(thing.func)
    return str(getattr(thing, "__module__", None) or "__main__").rpartition(".")[2]


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


def importable(thing: Any) -> str:
    """Where another process can import a class or function: `file.py:NAME` or `module:NAME`; empty for nowhere.

    What a notebook, a running script or a function defines is nowhere.
    """
    name, module = getattr(thing, "__qualname__", ""), getattr(thing, "__module__", None) or ""
    loaded = sys.modules.get(module)
    if module == "__main__" or not name.isidentifier() or getattr(loaded, name, None) is not thing:
        return ""
    file = getattr(loaded, "__file__", None)
    if "." in module or not str(file).endswith(".py"):
        return f"{module}:{name}"
    return f"{Path(str(file)).resolve()}:{name}"
