"""Which installed distributions a module comes from.

`importlib.metadata.packages_distributions` answers that too, but makes an object of every file that is installed, where
most runs ask about two modules.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import Distribution, distributions
from inspect import getmodulename


def owners(module: str) -> list[str]:
    """The names of the distributions that install a top-level module; empty where none does."""
    return [found.name for found in _by_module().get(module, ())]


@cache
def _by_module() -> Mapping[str, list[Distribution]]:
    by_module: dict[str, list[Distribution]] = {}
    for found in distributions():
        for module in {*_modules(found)}:
            by_module.setdefault(module, []).append(found)
    return by_module


def _modules(found: Distribution) -> Iterator[str]:
    """The top-level modules of a distribution: as it names them, else as its files show."""
    if named := found.read_text("top_level.txt"):
        yield from named.split()
        return
    if record := found.read_text("RECORD"):
        paths = (row[0] for row in csv.reader(record.splitlines()) if row)
    else:
        paths = (str(path) for path in found.files or ())
    for path in paths:
        first, inside, _ = path.partition("/")
        module = first if inside else getmodulename(first)
        if module and "." not in module:
            yield module
