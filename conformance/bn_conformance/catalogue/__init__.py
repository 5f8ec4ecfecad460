"""The cases of the matrix, a module per clause family.

A family module has a `FAMILY`, which says where its cases come among the others, and a function `cases`. Modules are
found, not listed: a new one takes part as soon as it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from bn_conformance.cases.model import Case
from bn_conformance.garbage import uncollected

LARGE = "large"
"""The module of large cases, which run only where they are named."""


@cache
def all_cases() -> dict[str, Case]:
    """Every case by id, in the order of the family modules; large ones are apart (`large_cases`).

    Raises:
        ValueError: two cases have one id, or two modules have one place in the order.
    """
    return cases_of(module for module in in_order(_modules()) if _name(module) != LARGE)


@cache
def large_cases() -> dict[str, Case]:
    """Every large case by id. Nothing that goes through `all_cases` meets them: they run only where they are named."""
    return cases_of(module for module in _modules() if _name(module) == LARGE)


def in_order(modules: Iterable[ModuleType]) -> list[ModuleType]:
    """Those of the modules that are family modules, in their order.

    Raises:
        ValueError: two of them have one place in the order.
    """
    by_order: dict[int, ModuleType] = {}
    for module in modules:
        if hasattr(module, "FAMILY") and hasattr(module, "cases"):
            holder = by_order.setdefault(module.FAMILY.order, module)
            if holder is not module:
                both = f"{_name(holder)} and {_name(module)}"
                raise ValueError(f"order is {module.FAMILY.order} in {both}; give each family module one of its own")
    return [by_order[order] for order in sorted(by_order)]


def cases_of(modules: Iterable[ModuleType]) -> dict[str, Case]:
    """The cases of family modules by id.

    Raises:
        ValueError: two cases have one id.
    """
    cases: dict[str, Case] = {}
    with uncollected():
        for case in (case for module in modules for case in module.cases()):
            if case.id in cases:
                raise ValueError(f"two cases have the id {case.id}; give one of them another variant")
            cases[case.id] = case
    return cases


def _modules() -> Iterator[ModuleType]:
    return (import_module(entry.name) for entry in iter_modules(__path__, f"{__name__}."))


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]
