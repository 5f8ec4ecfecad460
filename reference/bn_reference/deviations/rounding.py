"""Coarser arithmetic on the working values of a layer, of any dtype: parts of the deviations of precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer

FLOAT16, FLOAT32, FLOAT64 = np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)


def compute_dtype(layer: PlainLayer) -> np.dtype[Any]:
    """Give the dtype that a sound layer computes in: float64 for float64, float32 for everything narrower."""
    return FLOAT64 if layer.storage == FLOAT64 else FLOAT32


def through(layer: PlainLayer, values: Array, dtype: np.dtype[Any]) -> Array:
    """Round working values to a format, and convert them back."""
    return layer.wide(layer.store(np.asarray(values), dtype))


def through_bfloat16(layer: PlainLayer, values: Array) -> Array:
    """Round working values to bfloat16."""
    return layer.wide(_to_bfloat16(layer.store(np.asarray(values), FLOAT32)))


def _to_bfloat16(values: Array) -> Array:
    """Round float32 values to bfloat16, the upper half of a float32, to nearest even."""
    single = np.ascontiguousarray(values)
    bits = single.view(np.uint32)
    kept = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return np.where(np.isfinite(single), kept.view(np.float32), single)


def to_bits(layer: PlainLayer, values: Array, bits: int) -> Array:
    """Round working values to so many significant bits."""
    double = layer.store(np.asarray(values), FLOAT64)
    significand, exponent = np.frexp(double)
    kept = np.ldexp(np.round(np.ldexp(significand, bits)), exponent - bits)
    return layer.wide(np.where(np.isfinite(double), kept, double))


def one_by_one(layer: PlainLayer, rows: Array, dtype: np.dtype[Any]) -> Array:
    """Add up each row in order, in a format that rounds after each step; give a column."""
    if not rows.size:
        return layer.wide(np.zeros((rows.shape[0], 1), FLOAT64))
    narrow = layer.store(np.ascontiguousarray(rows), dtype)
    return layer.wide(np.cumsum(narrow, axis=1, dtype=dtype)[:, -1:])


def in_bfloat16_one_by_one(layer: PlainLayer, rows: Array) -> Array:
    """Add up each row in order in float32, rounded to bfloat16 after each step; give a column."""
    columns = np.ascontiguousarray(layer.store(np.ascontiguousarray(rows), FLOAT32).T)
    total = np.zeros(rows.shape[0], FLOAT32)
    for column in columns:
        total = _to_bfloat16(total + column)
    return layer.wide(total[:, None])
