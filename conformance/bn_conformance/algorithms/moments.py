"""Ways to compute the mean and the variance of rows (C, n)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bn_conformance.algorithms.sums import Rows, Sum, Vector, fused, sequential

Moments = Callable[[Rows, Sum], tuple[Vector, Vector]]


def mean_by(rows: Rows, add: Sum) -> Vector:
    """The mean of each row by a way to add up."""
    return np.asanyarray(add(rows) / rows.dtype.type(rows.shape[1]))


def two_pass(x: Rows, add: Sum) -> tuple[Vector, Vector]:
    """The mean, then the mean of the squared deviations from it."""
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
    """A total over how many values it has."""
    return np.asanyarray(total / total.dtype.type(count))


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


def moments_by_blocks(x: Rows, add: Sum) -> tuple[Vector, Vector]:
    """Two passes over each block of 32 values, merged in order (Chan, Golub & LeVeque 1983, (2.1))."""
    count, size = 0, 32
    mean, squares = np.zeros_like(x[:, 0]), np.zeros_like(x[:, 0])
    for start in range(0, x.shape[1], size):
        block = x[:, start : start + size]
        width = block.shape[1]
        of_block, variance = two_pass(block, add)
        apart, both = of_block - mean, x.dtype.type(count + width)
        mean = mean + apart * (x.dtype.type(width) / both)
        squares = squares + variance * x.dtype.type(width) + apart * apart * (x.dtype.type(count * width) / both)
        count += width
    return mean, squares / x.dtype.type(x.shape[1])


def raw_moments(x: Rows, add: Sum) -> tuple[Vector, Vector]:
    """E[x^2] - E[x]^2, not below 0."""
    mean = mean_by(x, add)
    return mean, np.maximum(mean_by(x * x, add) - mean * mean, x.dtype.type(0))
