"""Deviations of memory: strides, offsets and orders that are read as if they were others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bn_reference.definition.graph import RowGradients
from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer


def _memory(x: Array) -> Array:
    """Give the numbers of x's buffer in the order of memory."""
    owner = x
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    return owner.ravel("K")


def _as_if_contiguous(x: Array) -> Array:
    return x if x.flags.c_contiguous else np.resize(_memory(x), x.shape)


def _fortran_as_c(x: Array) -> Array:
    if not x.flags.f_contiguous or x.flags.c_contiguous:
        return x
    return x.ravel("K").reshape(x.shape)


def _positive_strides(x: Array) -> Array:
    return x[tuple(slice(None, None, -1 if stride < 0 else 1) for stride in x.strides)]


def _without_repeats(x: Array) -> Array:
    if 0 not in x.strides or x.size <= 1:
        return x
    first = tuple(
        slice(0, 1) if stride == 0 and size > 1 else slice(None)
        for stride, size in zip(x.strides, x.shape, strict=True)
    )
    once = np.zeros_like(x, order="C", subok=False)
    once[first] = x[first]
    return once


def _from_start(x: Array) -> Array:
    """Read x as if it began where its buffer begins."""
    if not x.flags.c_contiguous or x.base is None or not x.size:
        return x
    memory = _memory(x)
    return memory[: x.size].reshape(x.shape) if memory.size > x.size and memory.dtype == x.dtype else x


def _parts_from_start(x: Array) -> Array:
    """Read a part of a larger array with its strides, from where that array begins."""
    owner = x
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    inside = x.ctypes.data - owner.ctypes.data if owner is not x and owner.dtype == x.dtype else 0
    if not inside or x.flags.c_contiguous or min(x.strides) <= 0:
        return x
    return np.lib.stride_tricks.as_strided(owner.reshape(-1), x.shape, x.strides)


def _channels_last_as_c(x: Array) -> Array:
    """Read x with its second axis innermost in memory as if it were in C order."""
    inner = x.ndim > 2 and x.shape[1] > 1 and np.moveaxis(x, 1, -1).flags.c_contiguous and not x.flags.c_contiguous
    return np.moveaxis(x, 1, -1).reshape(x.shape) if inner else x


def _pixels_once(dy: Array) -> Array:
    """Read only the first of the pixels that repeat by a stride of zero."""
    if dy.ndim < 3 or dy.strides[0] == 0 or 0 not in dy.strides[2:]:
        return dy
    return _without_repeats(dy)


def _number_once(dy: Array) -> Array:
    """Share out one number that repeats along every axis."""
    return np.asarray(dy / dy.size).astype(dy.dtype) if dy.size > 1 and not any(dy.strides) else dy


def _reading(
    name: str, sentence: str, effect: str, read: Callable[[Array], Array], of: str = "x", link: str = ""
) -> None:
    """Register a layer that reads x or dy through `read`."""

    class Reading(PlainLayer):
        def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
            """Run the forward on what was read."""
            return super().forward_masked(read(x) if of == "x" else x, mask, training)

        def backward(self, dy: Array) -> RowGradients:
            """Run the backward on what was read."""
            return super().backward(read(dy) if of == "dy" else dy)

    Reading.__doc__ = sentence
    deviation(name, clause="LAYOUT-3", effect=effect, link=link, numeric=False)(Reading)


_SCRAMBLED = "sliced or transposed inputs give scrambled outputs"
_reading(
    "strides-ignored",
    "x is read as if it were contiguous.",
    _SCRAMBLED,
    _as_if_contiguous,
    link="https://github.com/pytorch/pytorch/issues/62594",
)
_reading(
    "fortran-read-as-c",
    "x in Fortran order is read as if it were in C order.",
    _SCRAMBLED,
    _fortran_as_c,
    link="https://github.com/pytorch/pytorch/issues/63224",
)
_reading(
    "negative-strides-as-positive",
    "Negative strides of x are read as positive ones.",
    "flipped inputs give unflipped outputs",
    _positive_strides,
)
_reading(
    "repeats-read-as-zero",
    "Where x repeats by a stride of zero, only its first entry is read.",
    "broadcast inputs give zeros",
    _without_repeats,
)
_reading(
    "offset-ignored", "x is read from the start of its buffer.", "slices give the outputs of another slice", _from_start
)
_reading(
    "dy-strides-ignored",
    "dy is read as if it were contiguous.",
    "gradients are scrambled where the layer above transposes",
    _as_if_contiguous,
    "dy",
    "https://github.com/pytorch/pytorch/pull/64100",
)
_reading(
    "dy-repeats-read-as-zero",
    "Where dy repeats by a stride of zero, only its first entry is read.",
    "gradients of a mean or a sum are almost zero",
    _without_repeats,
    "dy",
)


_reading(
    "part-read-from-start",
    "A part of a larger array is read with its strides from where that array begins.",
    "the first slice of a concatenation stands for every other",
    _parts_from_start,
)
_reading(
    "channels-last-read-as-c",
    "x whose channels are innermost in memory is read as if it were in C order.",
    "images in channels_last memory give scrambled outputs",
    _channels_last_as_c,
)
_reading(
    "dy-of-pixels-read-once",
    "Where dy repeats over pixels by a stride of zero, only the first is read.",
    "gradients behind a mean over pixels are almost zero",
    _pixels_once,
    "dy",
)
_reading(
    "dy-of-a-sum-shared-out",
    "A dy that is one number throughout is divided by how often it is there.",
    "gradients of a sum are those of a mean",
    _number_once,
    "dy",
)


@deviation(
    "read-only-refused", clause="LAYOUT-3", effect="arrays from files or other frameworks are refused", numeric=False
)
class ReadOnlyRefused(PlainLayer):
    """An x that may not be written to is refused."""

    def check(self, x: Array) -> None:
        """Refuse an x that may not be written to."""
        super().check(x)
        if not x.flags.writeable:
            raise ValueError("buffer source array is read-only")


@deviation("pixels-transposed", clause="LAYOUT-1", effect="outputs of square images are mirrored")
class PixelsTransposed(PlainLayer):
    """y of square images has its two last axes swapped."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Swap the two last axes of y where the images are square."""
        y = super().forward_masked(x, mask, training)
        square = y.ndim >= 4 and y.shape[-1] == y.shape[-2] and self.config.channel_axis < y.ndim - 2
        return np.ascontiguousarray(y.swapaxes(-1, -2)) if square else y
