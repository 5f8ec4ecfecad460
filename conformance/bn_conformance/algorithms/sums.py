"""Ways to add up rows (C, n) into vectors (C,), and multiply-adds, all in the dtype of the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]
Vector = NDArray[Any]
Sum = Callable[[Rows], Vector]


def pairwise(rows: Rows) -> Vector:
    """A balanced tree."""
    while rows.shape[1] > 1:
        if rows.shape[1] % 2:
            rows = np.concatenate([rows, np.zeros((rows.shape[0], 1), rows.dtype)], axis=1)
        rows = rows[:, ::2] + rows[:, 1::2]
    return rows[:, 0]


def numpy_sum(rows: Rows) -> Vector:
    """NumPy's own: blocks of 128 in eight lanes, and a tree above."""
    return np.asarray(rows.sum(axis=1, dtype=rows.dtype))


def sequential(rows: Rows) -> Vector:
    """One running sum."""
    return np.asanyarray(np.cumsum(rows, axis=1, dtype=rows.dtype)[:, -1])


def by_blas(rows: Rows) -> Vector:
    """A product with a vector of ones, by BLAS: its own order, with fused multiply-adds where there are any."""
    return np.asarray(np.ascontiguousarray(rows) @ np.ones(rows.shape[1], rows.dtype))


def lanes(width: int) -> Sum:
    """As many running sums as a vector register has lanes, added up at the end."""

    def add(rows: Rows) -> Vector:
        missing = -rows.shape[1] % width
        padded = np.concatenate([rows, np.zeros((rows.shape[0], missing), rows.dtype)], axis=1)
        blocks = padded.reshape(rows.shape[0], -1, width)
        return sequential(np.cumsum(blocks, axis=1, dtype=rows.dtype)[:, -1])

    return add


def chunks(size: int) -> Sum:
    """Running sums of chunks, then a running sum of those: a grid of GPU blocks."""

    def add(rows: Rows) -> Vector:
        missing = -rows.shape[1] % size
        padded = np.concatenate([rows, np.zeros((rows.shape[0], missing), rows.dtype)], axis=1)
        blocks = padded.reshape(rows.shape[0], -1, size)
        return sequential(np.cumsum(blocks, axis=2, dtype=rows.dtype)[:, :, -1])

    return add


def shuffled(seed: int, add: Sum) -> Sum:
    """Another sum, in a random order."""

    def in_random_order(rows: Rows) -> Vector:
        return add(rows[:, np.random.default_rng(seed).permutation(rows.shape[1])])

    return in_random_order


def in_float64(rows: Rows) -> Vector:
    """Accumulated in float64, stored in the rows' own format."""
    return np.asarray(rows.sum(axis=1, dtype=np.float64)).astype(rows.dtype)


def compensated(rows: Rows) -> Vector:
    """One running sum that carries along what each addition rounded off (Kahan 1965, in Neumaier's order)."""
    total, lost = np.zeros_like(rows[:, 0]), np.zeros_like(rows[:, 0])
    for place in range(rows.shape[1]):
        after, rest = two_sum(total, rows[:, place])
        total, lost = after, lost + rest
    return np.asanyarray(total + lost)


def two_sum(a: Rows, b: Rows) -> tuple[Rows, Rows]:
    """a + b rounded, and what rounding took, exactly (Knuth; Higham 2002, section 4.3)."""
    total = a + b
    virtual = total - a
    return total, (a - (total - virtual)) + (b - virtual)


def two_product(a: Rows, b: Rows) -> tuple[Rows, Rows]:
    """a * b rounded, and what rounding took, exactly short of overflow and underflow (Dekker 1971)."""
    product = a * b
    factor = a.dtype.type(2 ** ((np.finfo(a.dtype).nmant + 2) // 2) + 1)
    parts = []
    for value in (a, b):
        scaled = factor * value
        high = scaled - (scaled - value)
        parts.append((high, value - high))
    (a_high, a_low), (b_high, b_low) = parts
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def fused(a: Rows, b: Rows, c: Rows) -> Rows:
    """a * b + c with one rounding, as the instruction: in float64 for float32, by error-free parts for float64."""
    if a.dtype == np.float32:
        return np.asarray(a.astype(np.float64) * b + c).astype(np.float32)
    product, rest = two_product(*np.broadcast_arrays(a, b))
    total, lost = two_sum(product, np.broadcast_to(c, product.shape))
    return np.asarray(total + (lost + rest))


def in_float32(rows: Rows) -> Vector:
    """Accumulated in float32, stored in the rows' own format."""
    return np.asarray(rows.sum(axis=1, dtype=np.float32)).astype(rows.dtype)
