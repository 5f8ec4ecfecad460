"""IEEE binary128 arrays: into them, and correctly rounded out of them.

numpy-quaddtype 1.0 does arithmetic, roots and reductions right, but its casts to narrower formats do not always round
to nearest (1 + 2**-53 + 2**-110 goes to 1.0), so rounding is done here on the bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from numpy_quaddtype import QuadPrecDType

from bn_reference.formats import FORMATS, format_of

Quad = NDArray[Any]
"""An array of dtype `QUAD`."""

QUAD: np.dtype[Any] = QuadPrecDType()
"""IEEE binary128: 113 significant bits, exponents to +-16383."""

UNIT_ROUNDOFF = 2.0**-113

quietly = np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore")
"""Decorator for arithmetic on goldens: NaN and infinities are values like others there, and binary128 of
numpy-quaddtype 1.0 raises the invalid flag for sums and products of tiny numbers that are perfectly valid."""

_SIGNIFICAND_BITS = 62


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


def round_to(values: Quad, dtype: Any) -> NDArray[Any]:
    """Binary128 values rounded to the nearest number of a format, ties to even, overflow to infinity.

    Args:
        values: array of dtype `QUAD`, any shape.
        dtype: NumPy dtype of one of the suite's formats; bfloat16 needs the `ml_dtypes` dtype object.

    Returns:
        Array of that dtype and of the shape of `values`.
    """
    target = np.dtype(dtype)
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


def to_float64(values: Quad) -> NDArray[np.float64]:
    """Binary128 values rounded to float64."""
    rounded: NDArray[np.float64] = round_to(values, np.float64)
    return rounded
