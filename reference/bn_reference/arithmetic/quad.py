"""Arrays of IEEE binary128: conversion into them, and correctly rounded conversion out of them.

numpy-quaddtype 1.0 rounds arithmetic, roots and reductions correctly, but not all of its casts to narrower formats
(1 + 2**-53 + 2**-110 goes to 1.0). So this module writes a number as the sum of two float64 parts, the first of which
is the cast, and rounds that sum. Where the parts do not decide, it rounds the bits themselves.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray
from numpy_quaddtype import QuadPrecDType

from bn_reference.arithmetic.formats import FORMATS, format_of
from bn_reference.arithmetic.words import both_words, parts_in_words, widened

Quad = NDArray[Any]
"""An array of dtype `QUAD`."""

Parts = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Numbers as sums of two float64 arrays, the larger part first."""

QUAD: np.dtype[Any] = QuadPrecDType()
"""IEEE binary128: 113 significant bits, exponents to +-16383."""

UNIT_ROUNDOFF = 2.0**-113

P = ParamSpec("P")
T = TypeVar("T")


class _Quiet(threading.local):
    """Whether this thread is quiet already: entering NumPy's error state costs as much as a sum of a short vector."""

    entered = False


_QUIET = _Quiet()


@contextmanager
def quiet() -> Iterator[None]:
    """A block without floating-point warnings, for arithmetic on goldens.

    NaN and infinities are ordinary values there, and numpy-quaddtype 1.0 raises the invalid flag for valid sums and
    products of tiny numbers. No code of others may run in the block.
    """
    if _QUIET.entered:
        yield
        return
    _QUIET.entered = True
    try:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
            yield
    finally:
        _QUIET.entered = False


def quietly(function: Callable[P, T]) -> Callable[P, T]:
    """Decorator that makes a call a `quiet` block."""

    @wraps(function)
    def call(*arguments: P.args, **keywords: P.kwargs) -> T:
        if _QUIET.entered:
            return function(*arguments, **keywords)
        with quiet():
            return function(*arguments, **keywords)

    return call


_SIGNIFICAND_BITS = 62

_USUAL = 2.0**-900, 2.0**900
"""The range of magnitudes in which both float64 parts are far from overflow and underflow."""


def to_quad(values: Any) -> Quad:
    """Values of any format of the suite, or Python numbers, in binary128: exactly, in the same shape."""
    array = np.asarray(values)
    if array.dtype == QUAD:
        return array
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    elif array.dtype.itemsize == 2:  # float16 and bfloat16, exact in float32
        array = array.astype(np.float32)
    return widened(array.astype(np.float64, copy=False))


def bytes_of(array: NDArray[Any] | None) -> bytes | None:
    """The bytes of an array in the order of its axes, by which it is known again; None for none."""
    return None if array is None else array.tobytes()


@quietly
def parts_of(values: Quad) -> Parts:
    """Values as sums of two float64 numbers: the cast to float64, and the cast of what is left.

    The first cast is off by at most a unit in the last place. What is left is known exactly, so only its own cast
    rounds. The sum is therefore off by at most 2**-105 of the value.
    """
    return parts_in_words(values)


def round_to(values: NDArray[Any], dtype: Any, parts: Parts | None = None) -> NDArray[Any]:
    """Binary128 values rounded to the nearest number of a format, ties to even, overflow to infinity.

    Args:
        values: array of dtype `QUAD`, any shape, or of a narrower format.
        dtype: NumPy dtype of one of the suite's formats; bfloat16 needs the `ml_dtypes` dtype object.
        parts: what `parts_of(values)` gives; None to compute it.

    Returns:
        Array of that dtype and of the shape of `values`.
    """
    target, values = np.dtype(dtype), to_quad(values)
    parts = parts_of(values) if parts is None else parts
    nearest = nearest_float64(values, parts) if target == np.float64 else narrowed(values, parts, target)
    return rounded_on_bits(values, target) if nearest is None else nearest


def _usual(values: Quad, high: NDArray[np.float64]) -> bool:
    """Whether every value is 0 or in the range `_USUAL`."""
    size = np.abs(high)
    usual = (size >= _USUAL[0]) & (size <= _USUAL[1])
    return bool(usual.all()) or bool((values[~usual] == 0).all())


@quietly
def nearest_float64(values: Quad, parts: Parts) -> NDArray[np.float64] | None:
    """The sums of two parts, rounded to float64; None where a sum may be a tie, which the parts do not decide."""
    high, rest = parts
    if not _usual(values, high):
        return None
    nearest = np.copysign(high + rest, high)  # -0 + 0 is 0, so the sign is that of the first part
    doubled_error = 2 * (rest - (nearest - high))
    tie = ((nearest + doubled_error) - nearest == doubled_error) & (doubled_error != 0)
    return None if tie.any() else nearest


@quietly
def narrowed(values: Quad, parts: Parts, target: np.dtype[Any]) -> NDArray[Any] | None:
    """The sums of two parts, rounded to a format narrower than float64; None where a value is outside `_USUAL`.

    The sums are first rounded to odd in float64, then to the format. That gives the same as rounding once, because
    float64 has at least two bits more than the format (S. Boldo, G. Melquiond, "Emulation of FMA and correctly rounded
    sums", IEEE Trans. Computers 57, 2008).
    """
    high, rest = parts
    if not _usual(values, high):
        return None
    odd = _to_odd(high, rest)
    if target.name == "bfloat16":  # which is cast through float32
        single = odd.astype(np.float32)
        odd = _to_odd(single, odd - single)
    return odd.astype(target)


def _to_odd(near: NDArray[Any], rest: NDArray[np.float64]) -> NDArray[Any]:
    """near + rest, rounded to odd: of its two neighbours, that whose last bit is 1; near itself where rest is 0.

    |rest| is at most the distance from near to the next number.
    """
    inexact = rest != 0
    beyond = inexact & (np.signbit(rest) != np.signbit(near))  # near is the larger of both in magnitude
    odd: NDArray[Any] = ((near.view(f"i{near.itemsize}") - beyond) | inexact).view(near.dtype)
    return odd


def _split(values: Quad) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.uint64]]:
    """Sign, exponent and a significand of 62 bits of each value.

    The last bit of the significand is sticky: it is 1 where any bit that was cut off is. Subnormals of binary128 count
    as zero.
    """
    low, high = both_words(values.reshape(-1))
    sign = (high >> np.uint64(63)).astype(bool)
    exponent = ((high >> np.uint64(48)) & np.uint64(0x7FFF)).astype(np.int64) - 16383
    fraction = high & np.uint64((1 << 48) - 1)
    significand = (np.uint64(1) << np.uint64(61)) | (fraction << np.uint64(13)) | (low >> np.uint64(51))
    significand |= ((low & np.uint64((1 << 51) - 1)) != 0).astype(np.uint64)
    return sign, exponent, np.where(exponent == -16383, np.uint64(0), significand)


def rounded_on_bits(values: Quad, target: np.dtype[Any]) -> NDArray[Any]:
    """Binary128 values of any magnitude rounded to a format, on their bits; a slower `round_to` without exceptions."""
    format_ = format_of(target)
    finite = np.isfinite(values).reshape(-1)
    sign, exponent, significand = _split(values)
    exponent = np.where(finite, exponent, 0)
    quantum = np.maximum(exponent, format_.min_exponent) - (format_.precision - 1)
    shift = np.minimum(quantum - exponent + (_SIGNIFICAND_BITS - 1), 63).astype(np.uint64)
    kept = significand >> shift
    rest = significand & ((np.uint64(1) << shift) - np.uint64(1))
    half = np.uint64(1) << (shift - np.uint64(1))
    kept += ((rest > half) | ((rest == half) & (kept & np.uint64(1)).astype(bool))).astype(np.uint64)
    scale = np.minimum(quantum, FORMATS["float64"].max_exponent)
    with np.errstate(over="ignore"):
        magnitude = np.ldexp(kept.astype(np.float64), scale.astype(np.int32))
    magnitude = np.where((magnitude > format_.largest) | (quantum > scale), np.inf, magnitude)
    special = ~finite
    if special.any():
        flat = values.reshape(-1)
        magnitude = np.where(special, np.where(np.isnan(flat), np.nan, np.inf), magnitude)
    return np.where(sign, -magnitude, magnitude).reshape(values.shape).astype(target)


def to_float64(values: NDArray[Any]) -> NDArray[np.float64]:
    """Binary128 values rounded to float64."""
    rounded: NDArray[np.float64] = round_to(values, np.float64)
    return rounded
