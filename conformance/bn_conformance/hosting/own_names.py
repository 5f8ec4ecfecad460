"""What a layer puts in the place of a function of NumPy or Python is there while the layer runs, and not in its judge.

With `numpy.abs` replaced by zeros no error would be larger than its bound.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import is_not
from typing import Any, TypeVar

import numpy as np

from bn_conformance.adapter import Adapter
from bn_conformance.hosting.local import LocalHost
from bn_conformance.hosting.operations import Call

T = TypeVar("T")


_REAL = tuple((vars(module), dict(vars(module))) for module in (np, builtins))
"""The names of modules that a judge uses as well, and what they stood for when the judge was imported."""

Replaced = Sequence[Mapping[str, Any]]
"""By module: what stands in the place of a name."""


def names_as_they_are() -> Replaced:
    """All names of the modules, for `put`."""
    return [dict(names) for names, _ in _REAL]


def put(replaced: Replaced) -> None:
    """Give names another meaning."""
    for (names, _), others in zip(_REAL, replaced, strict=True):
        names.update(others)


def put_real() -> Replaced:
    """Give names their real meaning, and say what was in its place. A name that is new, as of an import, stays."""
    replaced = []
    for names, real in _REAL:
        others = dict[str, Any]()
        if len(names) < len(real) or any(map(is_not, names.values(), real.values())):  # new names come last
            others = {name: names[name] for name in names.keys() & real if names[name] is not real[name]}
            names.update(real)
        replaced.append(others)
    return replaced


class OwnNames:
    """The names that a layer replaces: while it runs, or before, when its module is imported."""

    def __init__(self) -> None:
        self._own = put_real()

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """A block in which the layer runs: it finds what it has replaced and not put back, and after it nobody does."""
        put(self._own)
        try:
            yield
        finally:
            self._own = put_real()


class SharingHost(LocalHost):
    """Runs layers in the process that judges them, which shares its NumPy with them and not what they replace in it.

    Args:
        adapter: whose layers run.
    """

    def __init__(self, adapter: Adapter) -> None:
        super().__init__(adapter)
        self._own_names = OwnNames()

    def ask(self, call: Call[T]) -> T:
        """Make one call; see `Host.ask`."""
        with self._own_names.in_place():
            return super().ask(call)
