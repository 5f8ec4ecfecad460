"""Targets: how an adapter is named, found and described.

A target is `module:Class` or `path/to/file.py:Class`; the class may be left out where the module defines one adapter.
`KIND=CODE` is the target of a user's own code without an adapter (`bn_conformance.targets.wrappers`).
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from bn_conformance.adapter import Adapter, Capabilities


class TargetError(Exception):
    """A target names no usable adapter; the message says what to do."""


def split(target: str) -> tuple[str, str]:
    """Module (or path) and class name, which may be empty."""
    head, _, tail = target.rpartition(":")
    if head and tail.isidentifier():
        return head, tail
    return target, ""


def kind_of(target: str) -> tuple[str, str] | None:
    """The kind and the rest of a target `KIND=CODE`; None for any other. A kind's name has a hyphen."""
    found = re.fullmatch(r"([a-z0-9]+(?:-[a-z0-9]+)+(?:\[[a-z]+\])?)=(.*)", target, re.DOTALL)
    return (found[1], found[2]) if found else None


def is_target(name: str) -> bool:
    """Whether a name is a target rather than the name of a registered implementation."""
    if kind_of(name) is not None:
        return True
    module, attribute = split(name)
    return module.endswith(".py") or (bool(attribute) and all(part.isidentifier() for part in module.split(".")))


def load_adapter(target: str) -> type[Adapter]:
    """Import the module of a target and give its adapter class.

    Raises:
        TargetError: there is no such file, module or class, it cannot be imported, or it is no adapter.
    """
    if kind_of(target) is not None:
        from bn_conformance.targets.wrappers import adapter_of

        return adapter_of(target)
    module_name, attribute = split(target)
    module = module_of(module_name)
    if not attribute:
        attribute = _only_adapter(module, target)
    found = getattr(module, attribute, None)
    if found is None:
        raise TargetError(f"{module_name} has no {attribute}; name a class that it defines")
    if not (inspect.isclass(found) and issubclass(found, Adapter)):
        raise TargetError(f"{target} is not an adapter; derive it from bn_conformance.adapter.Adapter")
    _check(found, target)
    return found


def module_of(name: str) -> ModuleType:
    """The module of a name or of a path that ends with `.py`, imported.

    Raises:
        TargetError: there is none, or it cannot be imported.
    """
    try:
        if name.endswith(".py"):
            return _module_of_file(Path(name))
        return importlib.import_module(name)
    except TargetError:
        raise
    except SyntaxError as error:
        raise TargetError(f"{name} has a syntax error in line {error.lineno}: {error.msg}") from None
    except ModuleNotFoundError as error:
        raise TargetError(f"{name} cannot be imported: {error}; install it or put its folder on PYTHONPATH") from None
    except Exception as error:
        raise TargetError(f"{name} cannot be imported: {type(error).__name__}: {error}") from None


def _module_of_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise TargetError(f"{path} does not exist; name a Python file, or module:Class")
    name = f"bnconform_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


def _only_adapter(module: ModuleType, target: str) -> str:
    found = [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, Adapter)
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
    ]
    if len(found) != 1:
        names = ", ".join(found) or "none"
        raise TargetError(f"{target} defines {len(found)} adapters ({names}); name one as {target}:Class")
    return found[0]


def _check(adapter: type[Adapter], target: str) -> None:
    missing = sorted(getattr(adapter, "__abstractmethods__", ()))
    if missing:
        raise TargetError(f"{target} lacks {', '.join(missing)}; the adapter contract asks for it")
    for attribute in ("name", "convention"):
        if not hasattr(adapter, attribute):
            raise TargetError(f"{target} has no class attribute {attribute}; the adapter contract asks for it")


def describe(adapter: type[Adapter]) -> dict[str, Any]:
    """What an adapter class declares, as plain data."""
    return {
        "name": adapter.name,
        "convention": adapter.convention.to_json(),
        "capabilities": capabilities_to_json(adapter.capabilities),
        "framework": adapter.framework,
        "environment": dict(adapter.environment),
        "requires": list(adapter.requires),
        "install": adapter.install,
        "group": adapter.group,
        "limits": adapter.supports is not Adapter.supports,
        "notes": list(getattr(adapter, "notes", ())),
    }


def capabilities_to_json(capabilities: Capabilities) -> dict[str, Any]:
    """Capabilities as plain data, sets sorted."""
    return {
        name: sorted(list(entry) if isinstance(entry, tuple) else entry for entry in value)
        if isinstance(value, frozenset)
        else list(value)
        if isinstance(value, tuple)
        else value
        for name, value in vars(capabilities).items()
    }


def capabilities_from_json(data: dict[str, Any]) -> Capabilities:
    """The inverse of `capabilities_to_json`.

    Raises:
        TypeError: a key is unknown.
    """
    values: dict[str, Any] = {}
    for name, value in data.items():
        if name == "devices":
            values[name] = tuple(value)
        elif isinstance(value, list):
            values[name] = frozenset(tuple(entry) if isinstance(entry, list) else entry for entry in value)
        else:
            values[name] = value
    return Capabilities(**values)
