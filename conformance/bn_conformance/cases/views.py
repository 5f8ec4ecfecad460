"""Views: how the same numbers lie in memory when an implementation gets them.

Views are made where the implementation runs (in the worker), since a copy over the wire would undo them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bn_conformance.adapter import Array

GUARD = 3
"""Elements of padding before and behind the data of the views that have padding."""


def _contiguous(x: Array) -> Array:
    return x.copy(order="C")


def _fortran(x: Array) -> Array:
    return x.copy(order="F")


def _reversed_axes(x: Array) -> Array:
    """Memory in the opposite order of axes, seen through a transposition."""
    return x.T.copy(order="C").T


def _strided(x: Array) -> Array:
    """Every second element along the last axis of a larger array, whose gaps hold other numbers."""
    wide = np.full((*x.shape[:-1], 2 * x.shape[-1]), 77, x.dtype)
    wide[..., ::2] = x
    return wide[..., ::2]


def _offset(x: Array) -> Array:
    """The data behind a few other elements: not at the start of its buffer and badly aligned for vectors."""
    buffer = np.full(x.size + 2 * GUARD, 77, x.dtype)
    buffer[GUARD : GUARD + x.size] = x.reshape(-1)
    return buffer[GUARD : GUARD + x.size].reshape(x.shape)


def _readonly(x: Array) -> Array:
    frozen = x.copy(order="C")
    frozen.setflags(write=False)
    return frozen


def _broadcast(x: Array) -> Array:
    """The first entry of the batch, repeated with stride 0."""
    return np.broadcast_to(x[:1].copy(), x.shape)


def _negative(x: Array) -> Array:
    """Memory that runs backwards along the first and the last axis, seen through negative strides."""
    backwards = (slice(None, None, -1), *(slice(None) for _ in x.shape[2:]), slice(None, None, -1))[-x.ndim :]
    return x[backwards].copy(order="C")[backwards]


def _channels_last(x: Array) -> Array:
    """The second axis innermost in memory, as image libraries keep channels, behind a few other elements."""
    return np.moveaxis(_offset(np.ascontiguousarray(np.moveaxis(x, 1, -1))), -1, 1)


def _cut(part: int) -> Callable[[Array], Array]:
    """A view of one third of a larger array along the second axis, as a slice of concatenated channels is."""

    def cut(x: Array) -> Array:
        size = x.shape[1]
        whole = np.full((x.shape[0], 3 * size, *x.shape[2:]), 77, x.dtype)
        view = whole[:, part * size : (part + 1) * size]
        view[...] = x
        return view

    return cut


def _crop(x: Array) -> Array:
    """The middle of an array that is larger along each axis but the first."""
    whole = np.full((x.shape[0], *(size + 3 for size in x.shape[1:])), 77, x.dtype)
    view = whole[(slice(None), *(slice(1, size + 1) for size in x.shape[1:]))]
    view[...] = x
    return view


def _expanded(x: Array) -> Array:
    """The first numbers along each axis behind the second, repeated with stride 0, as behind a mean over pixels."""
    return np.broadcast_to(x[(slice(None), slice(None), *(slice(0, 1) for _ in x.shape[2:]))].copy(), x.shape)


def _scalar(x: Array) -> Array:
    """The first number, repeated with stride 0 along every axis, as behind a sum."""
    return np.broadcast_to(x.reshape(-1)[:1].copy(), x.shape) if x.size else x.copy()


VIEWS: dict[str, Callable[[Array], Array]] = {
    "contiguous": _contiguous,
    "fortran": _fortran,
    "transposed": _reversed_axes,
    "strided": _strided,
    "offset": _offset,
    "readonly": _readonly,
    "broadcast": _broadcast,
    "negative": _negative,
    "channels-last": _channels_last,
    "cut-first": _cut(0),
    "cut-middle": _cut(1),
    "cut-last": _cut(2),
    "crop": _crop,
    "expanded": _expanded,
    "scalar": _scalar,
}
"""Every view by name. All hold the numbers of x but those of `REPEATING`."""

REPEATING = frozenset({"broadcast", "expanded", "scalar"})
"""Views that repeat some numbers of x along axes of stride 0; they are read-only."""


def realise(x: Array, view: str) -> Array:
    """A copy of x that lies in memory as the view says.

    Raises:
        ValueError: the view is unknown.
    """
    try:
        return VIEWS[view](x)
    except KeyError:
        raise ValueError(f"view is {view!r}; allowed are {', '.join(VIEWS)}") from None
