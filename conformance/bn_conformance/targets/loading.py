"""Loading: the adapter class that a target names."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import cast

from bn_conformance.adapter import Adapter
from bn_conformance.targets.declarations import check_declarations
from bn_conformance.targets.errors import described_error
from bn_conformance.targets.naming import (
    TargetError,
    code_and_choices,
    in_another_language,
    module_and_class,
    wrapper_and_code,
)
from bn_conformance.targets.recognition import candidates, check_environment, is_adapter, kind_of, kinds_of
from bn_conformance.targets.wrappers import kind_of_file, wrapped_adapter
from bn_conformance.text import did_you_mean


def load_adapter(target: str) -> type[Adapter]:
    """Import the module of a target and give its adapter class.

    Raises:
        TargetError: there is no such file, module or class, it cannot be imported, it is no adapter, or it declares
            what nobody can declare.
    """
    adapter = wrapped_adapter(target) if wrapper_and_code(target) is not None else _found_adapter(target)
    _check_complete(adapter, target)
    check_declarations(adapter, target)
    return adapter


def module_of(name: str) -> ModuleType:
    """The module of a name or of a path that ends with `.py`, imported.

    Raises:
        TargetError: there is none, or importing it raises anything but a KeyboardInterrupt.
    """
    try:
        if name.endswith(".py"):
            return _module_of_file(Path(name))
        return _module_named(name)
    except (TargetError, KeyboardInterrupt):
        raise
    except SyntaxError as error:
        raise TargetError(f"{name} has a syntax error in line {error.lineno}: {error.msg}") from None
    except ModuleNotFoundError as error:
        raise TargetError(f"{name} cannot be imported: {error}; install it or put its folder on PYTHONPATH") from None
    except BaseException as error:
        raise TargetError(f"{name} cannot be imported: {described_error(error)}") from None


def _found_adapter(target: str) -> type[Adapter]:
    """The adapter of a target that does not say of which kind the code is: an adapter class, or a wrapper's."""
    code, choices = code_and_choices(target)
    place, attribute = module_and_class(code)
    if advice := in_another_language(code):
        raise TargetError(advice)
    if kind := kind_of_file(place):
        return wrapped_adapter(f"{kind}={'+'.join([code, *choices])}")
    module = module_of(place)
    attribute = attribute or _named(module, place)
    thing = _attribute(module, place, attribute) if attribute else module
    if is_adapter(thing):
        if choices:
            raise TargetError("--convention needs code without an adapter; an adapter declares its convention itself")
        return cast(type[Adapter], thing)
    spelling = "+".join([f"{place}:{attribute}" if attribute else place, *choices])
    kind = kind_of(thing, spelling)
    check_environment(kind, spelling)
    return wrapped_adapter(f"{kind}={spelling}")


def _attribute(module: ModuleType, place: str, attribute: str) -> object:
    """What a name or a pair of names stands for in a module."""
    things = tuple(getattr(module, name, None) for name in attribute.split("+"))
    for name, thing in zip(attribute.split("+"), things, strict=True):
        if thing is None:
            hint = did_you_mean(name, _names_in(module), "name a class or function that it defines")
            raise TargetError(f"{place} has no {name}{hint}")
    return things[0] if len(things) == 1 else things


def _names_in(module: ModuleType) -> list[str]:
    """The names of what can be judged in a module, or of whatever it defines."""
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    return list(candidates(module)) or own


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise TargetError(f"{path} does not exist; name a Python file, or module:Class")
    name = f"bnconform_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _search(path.resolve().parent)
    spec.loader.exec_module(module)
    return module


def _module_named(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise
    _search(Path.cwd())
    return importlib.import_module(name)


def _search(folder: Path) -> None:
    """Let modules of a folder be imported where no library has their name: a file `torch.py` is no torch."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _named(module: ModuleType, place: str) -> str:
    """The name of the only thing that a module defines and that can be judged; empty for the module itself."""
    things = candidates(module)
    if not things and kinds_of(module):
        return ""
    if len(things) != 1:
        names = ", ".join(things) or "none"
        kind = "things that can be judged" if things and not any(map(is_adapter, things.values())) else "adapters"
        lines = "".join(f"; bnconform check {place}:{name}" for name in things)
        raise TargetError(f"{place} defines {len(things)} {kind} ({names}); name one as {place}:Class{lines}")
    return next(iter(things))


def _check_complete(adapter: type[Adapter], target: str) -> None:
    missing = sorted(getattr(adapter, "__abstractmethods__", ()))
    if missing:
        raise TargetError(f"{target} lacks {', '.join(missing)}; the adapter contract asks for it")
    for attribute in ("name", "convention"):
        if not hasattr(adapter, attribute):
            raise TargetError(f"{target} has no class attribute {attribute}; the adapter contract asks for it")
