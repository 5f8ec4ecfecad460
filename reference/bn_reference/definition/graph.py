"""Batch normalisation as the computational graph of its paper: forward node by node, and backward through the nodes.

Every function takes rows of shape (C, n), a row per channel (`arithmetic.channels`), of any dtype: the same lines run
in float64 and in binary128. gamma and beta are vectors of shape (C,), or None. A mask is a boolean vector of shape
(n,), True where a position counts, or None. Only counted positions enter mean and variance; y and dy have every
position (SPEC.md, MASK).

Source: S. Ioffe, C. Szegedy, "Batch Normalization", 2015, algorithm 1 and the gradients of section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bn_reference.arithmetic.quad import quietly

Rows = NDArray[Any]
Vector = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Forward:
    """Every node of the training forward pass: rows of shape (C, n), vectors of shape (C,)."""

    mean: Vector
    centred: Rows
    variance: Vector
    standard_deviation: Vector
    inverse_deviation: Vector
    normalised: Rows
    y: Rows


class RowGradients(NamedTuple):
    """dx of shape (C, n); dgamma and dbeta of shape (C,)."""

    dx: Rows
    dgamma: Vector
    dbeta: Vector


def column(vector: Vector) -> Rows:
    """A vector of shape (C,) as a column of shape (C, 1)."""
    return vector[:, None]


@quietly
def sum_of(rows: Rows) -> Vector:
    """Sum of each row; 0 for rows without values (binary128 has no empty sum of its own)."""
    if rows.size == 0:
        return np.zeros(rows.shape[0], rows.dtype)
    return np.asarray(rows.sum(axis=1))


@quietly
def mean_of(rows: Rows) -> Vector:
    """Mean of each row; NaN for rows without values."""
    return np.asarray(sum_of(rows) / np.float64(rows.shape[1]).astype(rows.dtype))


def counted_rows(rows: Rows, mask: Mask | None) -> Rows:
    """The columns of the positions that count."""
    return rows if mask is None else rows[:, mask]


def where_counted(rows: Rows, mask: Mask | None) -> Rows:
    """Rows with 0 at every position that does not count."""
    return rows if mask is None else np.where(mask, rows, np.zeros((), rows.dtype))


def count_of(rows: Rows, mask: Mask | None) -> Any:
    """How many positions count, as a number of the rows' dtype."""
    count = rows.shape[1] if mask is None else int(mask.sum())
    return np.float64(count).astype(rows.dtype)


def scale_and_shift(normalised: Rows, gamma: Vector | None, beta: Vector | None) -> Rows:
    """gamma * normalised + beta, where a missing gamma is 1 and a missing beta 0."""
    scaled = normalised if gamma is None else column(gamma) * normalised
    return scaled if beta is None else scaled + column(beta)


@quietly
def forward(x: Rows, gamma: Vector | None, beta: Vector | None, eps: Any, mask: Mask | None = None) -> Forward:
    """Training forward: normalise each row by its own mean and (biased) variance."""
    mean = mean_of(counted_rows(x, mask))
    centred = x - column(mean)
    counted = counted_rows(centred, mask)
    return _from_statistics(centred, mean, mean_of(counted * counted), gamma, beta, eps)


def _from_statistics(
    centred: Rows, mean: Vector, variance: Vector, gamma: Vector | None, beta: Vector | None, eps: Any
) -> Forward:
    """The nodes of a forward behind its statistics: root, reciprocal, normalised value, scale and shift."""
    standard_deviation = np.sqrt(variance + eps)
    inverse_deviation = 1 / standard_deviation
    normalised = centred * column(inverse_deviation)
    return Forward(
        mean=mean,
        centred=centred,
        variance=variance,
        standard_deviation=standard_deviation,
        inverse_deviation=inverse_deviation,
        normalised=normalised,
        y=scale_and_shift(normalised, gamma, beta),
    )


@quietly
def backward(dy: Rows, nodes: Forward, gamma: Vector | None, mask: Mask | None = None) -> RowGradients:
    """Gradients of sum(y * dy), node by node in the opposite order of `forward`."""
    dbeta = sum_of(dy)
    dgamma = sum_of(dy * nodes.normalised)
    d_normalised = dy if gamma is None else dy * column(gamma)
    d_inverse = sum_of(d_normalised * nodes.centred)
    d_deviation = -d_inverse * nodes.inverse_deviation * nodes.inverse_deviation
    d_variance = d_deviation * nodes.inverse_deviation / 2
    count = count_of(dy, mask)
    d_square = column(d_variance / count)
    d_centred = d_normalised * column(nodes.inverse_deviation) + 2 * d_square * where_counted(nodes.centred, mask)
    d_mean = -sum_of(d_centred)
    dx = d_centred + where_counted(np.broadcast_to(column(d_mean / count), dy.shape), mask)
    return RowGradients(dx, dgamma, dbeta)


@quietly
def backward_closed_form(dy: Rows, nodes: Forward, gamma: Vector | None, mask: Mask | None = None) -> RowGradients:
    """The same gradients in closed form: dx = gamma / sigma * (dy - dbeta / n - normalised * dgamma / n).

    With a mask n is the number of counted positions, and the terms after dy are only theirs.
    """
    dbeta = sum_of(dy)
    dgamma = sum_of(dy * nodes.normalised)
    return of_sums(dy, nodes, gamma, dgamma, dbeta, count_of(dy, mask), mask)


@quietly
def of_sums(
    dy: Rows, nodes: Forward, gamma: Vector | None, dgamma: Vector, dbeta: Vector, count: Any, mask: Mask | None = None
) -> RowGradients:
    """The same from known sums; so dy and the nodes may be only some columns of the batch.

    Args:
        dy: rows (C, k).
        nodes: the forward pass of the same columns.
        gamma: vector or None.
        dgamma: gradient of gamma, of the whole batch.
        dbeta: gradient of beta, of the whole batch.
        count: how many positions of the whole batch count, in the rows' dtype.
        mask: for these columns, or None.
    """
    inner = dy - where_counted(column(dbeta / count) + nodes.normalised * column(dgamma / count), mask)
    factor = nodes.inverse_deviation if gamma is None else gamma * nodes.inverse_deviation
    return RowGradients(column(factor) * inner, dgamma, dbeta)


@quietly
def inference(x: Rows, mean: Vector, variance: Vector, gamma: Vector | None, beta: Vector | None, eps: Any) -> Forward:
    """Inference forward: normalise each row by given statistics, which are constants.

    With eps 0, a variance of 0 divides by zero and gives infinities or NaN, as the definition says.
    """
    return _from_statistics(x - column(mean), mean, variance, gamma, beta, eps)


@quietly
def inference_backward(dy: Rows, nodes: Forward, gamma: Vector | None) -> RowGradients:
    """Gradients of sum(y * dy) in inference: the statistics are constants, so dx has no mean terms."""
    dbeta = sum_of(dy)
    dgamma = sum_of(dy * nodes.normalised)
    factor = nodes.inverse_deviation if gamma is None else gamma * nodes.inverse_deviation
    return RowGradients(dy * column(factor), dgamma, dbeta)
