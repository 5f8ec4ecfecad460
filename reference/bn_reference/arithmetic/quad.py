"""IEEE binary128 arrays: into them, and correctly rounded out of them.

numpy-quaddtype 1.0 does arithmetic, roots and reductions right, but its casts to narrower formats do not always round
to nearest (1 + 2**-53 + 2**-110 goes to 1.0). So a cast is only the first of two parts here, whose sum is rounded; and
where those do not settle it, rounding is done on the bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from numpy_quaddtype import QuadPrecDType

from bn_reference.arithmetic.formats import FORMATS, format_of

Quad = NDArray[Any]
"""An array of dtype `QUAD`."""

Parts = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Numbers as sums of two of float64."""

QUAD: np.dtype[Any] = QuadPrecDType()
"""IEEE binary128: 113 significant bits, exponents to +-16383."""

UNIT_ROUNDOFF = 2.0**-113

quietly = np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore")
"""Decorator for arithmetic on goldens: NaN and infinities are values like others there, and binary128 of
numpy-quaddtype 1.0 raises the invalid flag for sums and products of tiny numbers that are perfectly valid."""

_SIGNIFICAND_BITS = 62

_USUAL = 2.0**-900, 2.0**900
"""Magnitudes between which a float64 part and what it leaves are far from overflow and underflow."""


def to_quad(values: Any) -> Quad:
    """Values of any of the suite's formats (or Python numbers) in binary128, exactly."""
    array = np.asarray(values)
    if array.dtype == QUAD:
        return array
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    elif array.dtype.itemsize == 2:  # float16 and bfloat16, exact in float32
        array = array.astype(np.float32)
    return array.astype(QUAD)


@quietly
def parts_of(values: Quad) -> Parts:
    """Values as sums of two float64 numbers: the cast, off by a unit in the last place at most, and what it leaves.

    The difference is exact in binary128, so that its cast alone rounds: the sum is off by 2**-105 of the value.
    """
    high = values.astype(np.float64)
    return high, (values - high).astype(np.float64)


def round_to(values: NDArray[Any], dtype: Any, parts: Parts | None = None) -> NDArray[Any]:
    """Binary128 values rounded to the nearest number of a format, ties to even, overflow to infinity.

    Args:
        values: array of dtype `QUAD`, any shape, or of a narrower format.
        dtype: NumPy dtype of one of the suite's formats; bfloat16 needs the `ml_dtypes` dtype object.
        parts: what `parts_of` gives, if it is known.

    Returns:
        Array of that dtype and of the shape of `values`.
    """
    target, values = np.dtype(dtype), to_quad(values)
    parts = parts_of(values) if parts is None else parts
    found = nearest_float64(values, parts) if target == np.float64 else narrowed(values, parts, target)
    return rounded_on_bits(values, target) if found is None else found


def _usual(values: Quad, high: NDArray[np.float64]) -> bool:
    """Whether the values are 0 or of a magnitude where float64 parts hold."""
    size = np.abs(high)
    usual = (size >= _USUAL[0]) & (size <= _USUAL[1])
    return bool(usual.all()) or bool((usual | (values == 0)).all())


@quietly
def nearest_float64(values: Quad, parts: Parts) -> NDArray[np.float64] | None:
    """The sums of two parts rounded to float64; None where one may be a tie, which the cast of its rest hides."""
    high, rest = parts
    if not _usual(values, high):
        return None
    nearest = np.copysign(high + rest, high)  # whose rest is 0, which would make a 0 of a -0
    left = 2 * (rest - (nearest - high))
    tie = ((nearest + left) - nearest == left) & (left != 0)
    return None if tie.any() else nearest


@quietly
def narrowed(values: Quad, parts: Parts, target: np.dtype[Any]) -> NDArray[Any] | None:
    """The sums of two parts rounded to a format narrower than float64; None where float64 does not hold them.

    Rounding twice is rounding once where the first time is to odd, with two bits more at least (S. Boldo,
    G. Melquiond, "Emulation of FMA and correctly rounded sums", IEEE Trans. Computers 57, 2008).
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
    """near + rest, a neighbour of near at most away, as the one of both between which it lies whose last bit is 1."""
    inexact = rest != 0
    beyond = inexact & (np.signbit(rest) != np.signbit(near))  # near is the larger of both in magnitude
    odd: NDArray[Any] = ((near.view(f"i{near.itemsize}") - beyond) | inexact).view(near.dtype)
    return odd


def _split(values: Quad) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.uint64]]:
    """Sign, exponent and a significand of 62 bits whose last bit is sticky; subnormals of binary128 count as zero."""
    words = np.ascontiguousarray(values).reshape(-1).view(np.uint64).reshape(-1, 2)
    low, high = words[:, 0], words[:, 1]
    sign = (high >> np.uint64(63)).astype(bool)
    exponent = ((high >> np.uint64(48)) & np.uint64(0x7FFF)).astype(np.int64) - 16383
    fraction = high & np.uint64((1 << 48) - 1)
    significand = (np.uint64(1) << np.uint64(61)) | (fraction << np.uint64(13)) | (low >> np.uint64(51))
    significand |= ((low & np.uint64((1 << 51) - 1)) != 0).astype(np.uint64)
    return sign, exponent, np.where(exponent == -16383, np.uint64(0), significand)


def rounded_on_bits(values: Quad, target: np.dtype[Any]) -> NDArray[Any]:
    """Values of any size rounded to a format, bit by bit."""
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
