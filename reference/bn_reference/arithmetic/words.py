"""Binary128 as pairs of 64-bit words: casts to and from float64 on whole arrays of integers.

A cast of numpy-quaddtype takes 33 ns a number. Here a cast is a few operations of NumPy on integers, of 1 ns a number
each. But an operation has a cost of its own, so short arrays are cast by numpy-quaddtype.

The upper word of binary128 has the sign, an exponent of 15 bits (bias 16383) and the upper 48 bits of the fraction. The
lower word has the other 64 bits. float64 has a sign, 11 bits (bias 1023) and 52 bits (IEEE 754-2019, table 3.5).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from numpy_quaddtype import QuadPrecDType

USUAL = -900, 900
"""Powers of two: between them, float64 parts are both far from overflow and underflow."""

SHORT, SHORT_PARTS = 400, 150
"""Up to this many numbers a cast of numpy-quaddtype, and parts by its casts, are as quick as those on the words."""

_BLOCK = 8192
"""How many numbers are cast at once, so that what is between fits in the cache of a core."""

Quad = NDArray[Any]
Words = NDArray[np.uint64]

_QUAD: np.dtype[Any] = QuadPrecDType()
_WORDS = np.dtype([("low", np.uint64), ("high", np.uint64)])
_SIGN, _MAGNITUDE = np.uint64(1 << 63), np.uint64((1 << 63) - 1)
_EXPONENT = np.uint64(0x7FFF << 48)
_FIRST, _SPAN = np.uint64((16383 + USUAL[0]) << 48), np.uint64((USUAL[1] - USUAL[0]) << 48)
_BIAS = 16383 - 1023
_ONE, _FOUR = np.uint64(1), np.uint64(4)
_NEAR_BIAS, _REST_BIAS = (np.uint64((bias << 52) % 2**64) for bias in (_BIAS, _BIAS + 112))


def both_words(values: Quad) -> tuple[Words, Words]:
    """The lower and the upper word of each value, in the shape of the values."""
    words = values.view(_WORDS)
    return words["low"], words["high"]


def _blocks(size: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, size, _BLOCK))


def _near(low: Words, high: Words) -> tuple[NDArray[np.float64], Words]:
    """The nearest float64 of usual numbers (of two, the larger in magnitude), and the last 4 bits it was rounded to.

    Shifted by 4, the upper word loses its sign and 3 bits of the exponent. The 12 bits that stay, minus the difference
    of the biases, are a sign of 0 and the exponent of float64.
    """
    last = ((low >> np.uint64(59)) + _ONE) >> _ONE  # 0 to 16: a carry goes on into the exponent, as it should
    bits = (high << _FOUR) + last - _NEAR_BIAS
    bits |= high & _SIGN
    return bits.view(np.float64), last


def _rest(low: Words, high: Words, last: Words) -> NDArray[np.float64]:
    """What is left of usual numbers: an integer of 60 bits with a sign, rounded to float64, times a power of two."""
    rest = (low - (last << np.uint64(60))).view(np.int64).astype(np.float64)
    scale = ((high & _EXPONENT) << _FOUR) - _REST_BIAS
    scale |= high & _SIGN
    rest *= scale.view(np.float64)
    return rest


def _unusual(high: Words) -> NDArray[np.bool_] | None:
    """Where numbers are not usual, zeros among them; None where all are."""
    usual = (high & _MAGNITUDE) - _FIRST <= _SPAN
    return None if usual.all() else ~usual


def near_float64(values: Quad) -> NDArray[np.float64]:
    """Values cast to float64, off by at most a unit in the last place, contiguous."""
    if values.size <= SHORT:
        return values.astype(np.float64, order="C")
    flat, near = values.reshape(-1), np.empty(values.size)
    for block in _blocks(values.size):
        low, high = both_words(flat[block])
        near[block] = _near(low, high)[0]
        if (unusual := _unusual(high)) is not None:
            near[block][unusual] = flat[block][unusual].astype(np.float64)
    return near.reshape(values.shape)


def parts_in_words(values: Quad) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values as sums of two float64 numbers: a cast to float64, and the cast of what is left (`quad.parts_of`).

    The first part of a usual number is the nearest float64. What is left has 60 bits and is below 2**-53 of the value,
    and its cast rounds to 53 bits. So the sum is off by at most 2**-106 of the value.
    """
    if values.size <= SHORT_PARTS:
        return _cast_parts(values)
    flat, near, rest = values.reshape(-1), np.empty(values.size), np.empty(values.size)
    for block in _blocks(values.size):
        low, high = both_words(flat[block])
        near[block], last = _near(low, high)
        rest[block] = _rest(low, high, last)
        if (unusual := _unusual(high)) is not None:
            near[block][unusual], rest[block][unusual] = _cast_parts(flat[block][unusual])
    return near.reshape(values.shape), rest.reshape(values.shape)


def _cast_parts(values: Quad) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same by the casts of numpy-quaddtype, of any numbers; what is left is exact in binary128."""
    near = values.astype(np.float64)
    return near, (values - near).astype(np.float64)


def widened(values: NDArray[np.float64]) -> Quad:
    """float64 numbers in binary128: exactly, contiguous."""
    if values.size <= SHORT:
        return values.astype(_QUAD, order="C")
    flat, quad = np.ascontiguousarray(values).reshape(-1), np.empty(values.size, _QUAD)
    for block in _blocks(values.size):
        bits = flat[block].view(np.uint64)
        low, high = both_words(quad[block])
        low[...] = bits << np.uint64(60)
        magnitude = bits & _MAGNITUDE
        high[...] = ((magnitude >> _FOUR) + np.uint64(_BIAS << 48)) | (bits & _SIGN)
        normal = magnitude - np.uint64(1 << 52) < np.uint64(0x7FE << 52)
        if not normal.all():
            special = ~normal
            quad[block][special] = flat[block][special].astype(_QUAD)
    return quad.reshape(values.shape)
