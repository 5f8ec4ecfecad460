"""What a layer puts in the place of a function of NumPy or Python is there while the layer runs, and not in its judge.

With `numpy.abs` replaced by zeros no error would be larger than its bound.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from operator import is_not
from typing import Any, TypeVar

import numpy as np

from bn_conformance.adapter import Adapter
from bn_conformance.hosting.local import LocalHost
from bn_conformance.hosting.operations import Call

T = TypeVar("T")


class OwnNames:
    """The names that a layer has replaced in modules which its judge uses as well."""

    def __init__(self) -> None:
        self._replaced: list[tuple[dict[str, Any], dict[str, Any]]] = [(vars(np), {}), (vars(builtins), {})]

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """A block in which the layer runs: it finds what it has replaced, and after it nobody else does.

        A name that is new, as of a module that was imported, stays.
        """
        before = [dict(names) for names, _ in self._replaced]
        for names, own in self._replaced:
            names.update(own)
        try:
            yield
        finally:
            for (names, own), others in zip(self._replaced, before, strict=True):
                if len(names) != len(others) or any(map(is_not, names.values(), others.values())):
                    own |= {name: names[name] for name in names.keys() & others if names[name] is not others[name]}
                    names.update(others)


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
