"""Batch normalisation written in many ways in NumPy: right algorithms, and ones that are known to be unstable.

An algorithm is a choice of five parts: how sums are added up, how mean and variance are computed, how y is, how
gradients are, and what is rounded to the storage format. Nothing here is shared with `bn_reference`: rows are (C, n),
vectors (C,), and everything happens in the dtype of the rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]
Vector = NDArray[Any]
Sum = Callable[[Rows], Vector]


# --- sums -----------------------------------------------------------------------------------------------------------


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
    return np.asarray(np.cumsum(rows, axis=1, dtype=rows.dtype)[:, -1])


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
    return np.asarray(total + lost)


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


# --- mean and variance ----------------------------------------------------------------------------------------------

Moments = Callable[[Rows, Sum], tuple[Vector, Vector]]


def mean_by(rows: Rows, add: Sum) -> Vector:
    return np.asarray(add(rows) / rows.dtype.type(rows.shape[1]))


def two_pass(x: Rows, add: Sum) -> tuple[Vector, Vector]:
    mean = mean_by(x, add)
    centred = x - mean[:, None]
    return mean, mean_by(centred * centred, add)


def corrected_two_pass(x: Rows, add: Sum) -> tuple[Vector, Vector]:
    """Björck's correction by the sum of the centred values (Chan, Golub & LeVeque 1983, (1.7))."""
    mean = mean_by(x, add)
    centred = x - mean[:, None]
    rest = mean_by(centred, add)
    return mean, mean_by(centred * centred, add) - rest * rest


def shifted_two_pass(x: Rows, add: Sum) -> tuple[Vector, Vector]:
    """Two passes over x minus its first value."""
    first = x[:, :1]
    mean, variance = two_pass(x - first, add)
    return first[:, 0] + mean, variance


def fused_two_pass(x: Rows, add: Sum) -> tuple[Vector, Vector]:
    """Two passes with eight lanes of fused multiply-adds for the squares, as vector units compute them."""
    mean, width = mean_by(x, add), 8
    centred = x - mean[:, None]
    padded = np.concatenate([centred, np.zeros((x.shape[0], -x.shape[1] % width), x.dtype)], axis=1)
    lane = np.zeros((x.shape[0], width), x.dtype)
    for start in range(0, padded.shape[1], width):
        part = padded[:, start : start + width]
        lane = fused(part, part, lane)
    return mean, mean_by_count(sequential(lane), x.shape[1])


def mean_by_count(total: Vector, count: int) -> Vector:
    return np.asarray(total / total.dtype.type(count))


def welford(x: Rows, add: Sum) -> tuple[Vector, Vector]:
    """One value at a time (Welford 1962)."""
    mean, squares = np.zeros_like(x[:, 0]), np.zeros_like(x[:, 0])
    for place in range(x.shape[1]):
        apart = x[:, place] - mean
        mean = mean + apart / x.dtype.type(place + 1)
        squares = squares + apart * (x[:, place] - mean)
    return mean, squares / x.dtype.type(x.shape[1])


def merged(x: Rows, add: Sum) -> tuple[Vector, Vector]:
    """Welford's quantities merged in a tree (Chan, Golub & LeVeque 1983, (2.1)), as GPU kernels do."""
    counts = np.ones(x.shape[1], x.dtype)
    mean, squares = x, np.zeros_like(x)
    while mean.shape[1] > 1:
        if mean.shape[1] % 2:
            zero = np.zeros((x.shape[0], 1), x.dtype)
            mean, squares = np.concatenate([mean, zero], axis=1), np.concatenate([squares, zero], axis=1)
            counts = np.append(counts, x.dtype.type(0))
        left, right = counts[::2], counts[1::2]
        both = left + right
        apart = mean[:, 1::2] - mean[:, ::2]
        squares = squares[:, ::2] + squares[:, 1::2] + apart * apart * (left * right / both)
        mean = mean[:, ::2] + apart * (right / both)
        counts = both
    return mean[:, 0], squares[:, 0] / x.dtype.type(x.shape[1])


def raw_moments(x: Rows, add: Sum) -> tuple[Vector, Vector]:
    """E[x^2] - E[x]^2, not below 0."""
    mean = mean_by(x, add)
    return mean, np.maximum(mean_by(x * x, add) - mean * mean, x.dtype.type(0))


# --- gradients ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pass:
    """What a forward pass leaves to the backward pass."""

    x: Rows
    mean: Vector
    inverse: Vector
    gamma: Vector
    beta: Vector
    add: Sum

    @property
    def count(self) -> Any:
        return self.x.dtype.type(self.x.shape[1])

    @property
    def centred(self) -> Rows:
        return np.asarray(self.x - self.mean[:, None])

    @property
    def normalised(self) -> Rows:
        return np.asarray(self.centred * self.inverse[:, None])


Gradients = tuple[Rows, Vector, Vector]
Backward = Callable[[Rows, Pass], Gradients]


def closed_form(dy: Rows, seen: Pass) -> Gradients:
    dbeta, dgamma = seen.add(dy), seen.add(dy * seen.normalised)
    inner = dy - (dbeta / seen.count)[:, None] - seen.normalised * (dgamma / seen.count)[:, None]
    return (seen.gamma * seen.inverse)[:, None] * inner, dgamma, dbeta


def multiplied_out(dy: Rows, seen: Pass) -> Gradients:
    """gamma / (n sigma) * (n dy - dbeta - normalised * dgamma)."""
    dbeta, dgamma = seen.add(dy), seen.add(dy * seen.normalised)
    inner = seen.count * dy - dbeta[:, None] - seen.normalised * dgamma[:, None]
    return (seen.gamma * seen.inverse / seen.count)[:, None] * inner, dgamma, dbeta


def fused_closed_form(dy: Rows, seen: Pass) -> Gradients:
    """The closed form, its two subtractions fused with the products before them."""
    dbeta, dgamma = seen.add(dy), seen.add(dy * seen.normalised)
    inner = fused(-seen.normalised, (dgamma / seen.count)[:, None], dy - (dbeta / seen.count)[:, None])
    return (seen.gamma * seen.inverse)[:, None] * inner, dgamma, dbeta


def staged(dy: Rows, seen: Pass) -> Gradients:
    """Node by node, as the paper's equations: through the variance, then through the mean."""
    half, two = seen.x.dtype.type(0.5), seen.x.dtype.type(2)
    dbeta, dgamma = seen.add(dy), seen.add(dy * seen.normalised)
    d_normalised = dy * seen.gamma[:, None]
    cube = seen.inverse * seen.inverse * seen.inverse
    d_variance = -half * seen.add(d_normalised * seen.centred) * cube
    d_mean = -seen.add(d_normalised * seen.inverse[:, None]) - two * d_variance * seen.add(seen.centred) / seen.count
    dx = d_normalised * seen.inverse[:, None] + seen.centred * (two * d_variance / seen.count)[:, None]
    return dx + (d_mean / seen.count)[:, None], dgamma, dbeta


def folded_derivative(dy: Rows, seen: Pass) -> Gradients:
    """The derivative of y = a x + b, a = gamma / sigma, b = beta - mean a, with two-pass statistics."""
    two = seen.x.dtype.type(2)
    d_b, d_a = seen.add(dy), seen.add(dy * seen.x)
    d_a = d_a - seen.mean * d_b
    scale = seen.gamma * seen.inverse
    d_variance = -d_a * seen.gamma * seen.inverse * seen.inverse * seen.inverse / two
    d_mean = -scale * d_b
    dx = dy * scale[:, None] + seen.centred * (d_variance * two / seen.count)[:, None]
    return dx + (d_mean / seen.count)[:, None], d_a * seen.inverse, d_b


def raw_derivative(dy: Rows, seen: Pass) -> Gradients:
    """The derivative through E[x^2] - E[x]^2."""
    two = seen.x.dtype.type(2)
    dbeta, dgamma = seen.add(dy), seen.add(dy * seen.normalised)
    scale = seen.gamma * seen.inverse
    d_variance = -(dgamma * seen.gamma) * seen.inverse * seen.inverse / two
    d_mean = -scale * dbeta - two * seen.mean * d_variance
    dx = dy * scale[:, None] + seen.x * (d_variance * two / seen.count)[:, None]
    return dx + (d_mean / seen.count)[:, None], dgamma, dbeta


# --- whole algorithms -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """One way to compute batch normalisation.

    Attributes:
        grade: level that explains it: the best one that must never be exceeded.
        add, moments, backward: its parts.
        folded: y = a x + b, in training and in inference, and the gradient of inference from that.
        folded_inference: y = a x + b in inference alone.
        fused: y by a fused multiply-add.
        wide: everything is computed in float64 and rounded once.
        rounds: `result` computes in float32 at least and rounds results to the storage format once; `paths` rounds
            every term of the result to it, with statistics and sums kept; `everything` computes in it.
        root_roundings: error that the reciprocal root is given besides, in roundings (a fast instruction).
        flush: subnormal numbers are 0, going in and coming out of every part.
        incremental: running statistics by m - momentum * (m - batch).
        not_for: a kind of random data on which the algorithm is not right.
    """

    grade: str = "tight"
    add: Sum = numpy_sum
    moments: Moments = two_pass
    backward: Backward = closed_form
    folded: bool = False
    folded_inference: bool = False
    fused: bool = False
    wide: bool = False
    rounds: Literal["result", "paths", "everything"] = "result"
    root_roundings: float = 0.0
    flush: bool = False
    incremental: bool = False
    not_for: str = ""


ALGORITHMS: dict[str, Algorithm] = {
    "two-pass, NumPy sums": Algorithm(),
    "two-pass, pairwise": Algorithm(add=pairwise, backward=multiplied_out),
    "two-pass, 8 lanes": Algorithm(add=lanes(8), backward=staged),
    "two-pass, 16 lanes, shuffled": Algorithm(add=shuffled(1, lanes(16)), incremental=True),
    "two-pass, chunks of 64": Algorithm(add=chunks(64), backward=staged),
    "two-pass, chunks of 32, shuffled": Algorithm(add=shuffled(2, chunks(32)), backward=multiplied_out),
    "two-pass, pairwise, shuffled": Algorithm(add=shuffled(3, pairwise), incremental=True),
    "corrected two-pass": Algorithm(moments=corrected_two_pass, add=chunks(128)),
    "shifted two-pass": Algorithm(moments=shifted_two_pass, add=lanes(4), not_for="outlier"),
    "Welford": Algorithm(moments=welford, add=lanes(8)),
    "Welford merged in a tree": Algorithm(moments=merged, add=pairwise, backward=staged),
    "sums in float64": Algorithm(add=in_float64, backward=multiplied_out),
    "everything in float64": Algorithm(wide=True),
    "compensated sums": Algorithm(add=compensated, backward=staged),
    "fused multiply-add": Algorithm(moments=fused_two_pass, backward=fused_closed_form, fused=True, add=lanes(8)),
    "fast reciprocal root": Algorithm(root_roundings=2.0, backward=staged),
    "flush to zero": Algorithm(flush=True),
    "folded inference": Algorithm(grade="stable", folded_inference=True, add=pairwise),
    "folded": Algorithm(grade="stable", folded=True),
    "folded, its derivative": Algorithm(grade="stable", folded=True, backward=folded_derivative, add=pairwise),
    "each path rounded": Algorithm(grade="stable", rounds="paths"),
    "each path rounded, 8 lanes": Algorithm(grade="stable", rounds="paths", add=lanes(8)),
}
"""Algorithms that must stay within their grade on all data."""

SEQUENTIAL = Algorithm(grade="degraded(sequential-sum)", add=sequential)
RAW_MOMENTS = Algorithm(grade="degraded(raw-moments)", moments=raw_moments)
RAW_DERIVATIVE = Algorithm(grade="degraded(raw-moments)", moments=raw_moments, backward=raw_derivative, folded=True)
STORAGE = Algorithm(grade="degraded(storage-precision)", rounds="everything", add=sequential)
STORAGE_WIDE_SUMS = Algorithm(grade="degraded(storage-precision)", rounds="everything", add=in_float32)
