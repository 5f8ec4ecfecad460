"""The adapters of this repository: those that its modules define, and those that pyproject.toml registers."""

from __future__ import annotations

import pkgutil
import tomllib
from collections.abc import Iterator
from importlib import import_module
from inspect import isabstract, isclass
from pathlib import Path
from typing import Any

import bn_adapters
from bn_conformance.adapter import Adapter
from bn_conformance.targets.loading import load_adapter

ROOT = Path(__file__).parents[3]
GROUP = "bnconform.adapters"


def project() -> dict[str, Any]:
    """The table [project] of pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        table: dict[str, Any] = tomllib.load(file)["project"]
    return table


def registered_adapters() -> dict[str, type[Adapter]]:
    """The adapters that run by default, by name."""
    adapters = [load_adapter(target) for target in project()["entry-points"][GROUP].values()]
    return {adapter.name: adapter for adapter in adapters if adapter.group == "default"}


def modules() -> list[str]:
    """The modules of adapters, wrappers included."""
    found = pkgutil.walk_packages(bn_adapters.__path__, "bn_adapters.")
    return [module.name for module in found if not module.ispkg]


def defined_adapters() -> Iterator[tuple[str, type[Adapter]]]:
    """Each adapter that a module defines under a name, and its target, but for those of wrappers."""
    for module in (name for name in modules() if not name.startswith("bn_adapters.wrappers.")):
        for attribute, value in vars(import_module(module)).items():
            if _is_adapter(value) and value.__module__ == module:
                yield f"{module}:{attribute}", value


def _is_adapter(value: Any) -> bool:
    return isclass(value) and issubclass(value, Adapter) and not isabstract(value) and hasattr(value, "name")
