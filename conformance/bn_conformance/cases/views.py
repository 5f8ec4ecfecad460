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


VIEWS: dict[str, Callable[[Array], Array]] = {
    "contiguous": _contiguous,
    "fortran": _fortran,
    "transposed": _reversed_axes,
    "strided": _strided,
    "offset": _offset,
    "readonly": _readonly,
    "broadcast": _broadcast,
    "negative": _negative,
}
"""Every view by name. All hold the numbers of x but `broadcast`, which repeats the first entry of the batch."""


def realise(x: Array, view: str) -> Array:
    """A copy of x that lies in memory as the view says.

    Raises:
        ValueError: the view is unknown.
    """
    try:
        return VIEWS[view](x)
    except KeyError:
        raise ValueError(f"view is {view!r}; allowed are {', '.join(VIEWS)}") from None
