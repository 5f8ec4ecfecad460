"""Arrays that went into an implementation or came out of it, watched until their layer is dropped.

Memory is compared where it lies, in the process of the implementation: a copy over the wire would hide every change.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from bn_conformance.adapter import Array


def memory_of(array: Array) -> Array:
    """The whole memory behind a view that this suite made, with the gaps between its elements."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


OVERWRITTEN = 7
"""What a caller writes over arrays that are its own again: nobody's mean, variance, parameter or output."""


class MemoryGuard:
    """The arrays of one layer, each with the bytes that it must keep."""

    def __init__(self) -> None:
        self._held: list[tuple[str, int, Array, bytes]] = []
        self._own: dict[tuple[str, Any], Array] = {}
        self._calls: dict[str, int] = {}

    def count(self, operation: str) -> int:
        """The number of this call of an operation, from 1."""
        self._calls[operation] = self._calls.get(operation, 0) + 1
        return self._calls[operation]

    def hold(self, what: str, number: int, array: Any, content: bytes | None = None) -> None:
        """Watch an array, whose bytes are given where they are known; what is no array is not watched."""
        if type(array) is np.ndarray and array.dtype != np.object_:
            self._held.append((what, number, array, array.tobytes() if content is None else content))

    def given(self, what: str, fresh: Array, same_array: bool) -> Array:
        """The array that the layer gets for an argument: a fresh one, or the caller's own with the fresh numbers in it.

        The caller's own is the first of its shape and memory. Since it is written to, what it held is no longer
        watched. One that is read-only is never written to.
        """
        if not same_array or not fresh.flags.writeable:
            return fresh
        own = self._own.setdefault((what, (fresh.shape, fresh.strides, fresh.dtype)), fresh)
        if own is not fresh:
            memory = memory_of(own)
            self._held = [entry for entry in self._held if entry[2] is not memory]
            own[...] = fresh
        return own

    def overwrite(self, but: Collection[str] = ()) -> None:
        """Write over every array but those of some operations' inputs, as its owner may; read-only ones stay."""
        held, self._held = self._held, []
        for what, number, array, content in held:
            if what in but or not array.flags.writeable:
                self._held.append((what, number, array, content))
            else:
                array[...] = OVERWRITTEN

    def changed(self) -> list[str]:
        """Which arrays hold other bytes now, for example `y of forward 1`."""
        return [f"{what} {number}" for what, number, array, content in self._held if array.tobytes() != content]
