"""Gradients of the gradients: what a backward pass through the backward pass of batch normalisation gives.

Upstream values v_dx of shape (C, n), v_dgamma and v_dbeta of shape (C,) make a scalar of the first-order gradients,

    s = sum(dx * v_dx) + sum(dgamma * v_dgamma) + sum(dbeta * v_dbeta),

and the second order is the gradient of s with respect to x, gamma and dy. (beta has none: no gradient depends on it.)
Written twice, node by node and in closed form, in whatever dtype the rows have, shapes as in `definition.graph`.

Source: the chain rule applied to `graph.backward_closed_form` and `graph.forward`. With m(a) = mean(a),
c(a) = mean(a * normalised) and P(a) = a - m(a) - normalised * c(a), which is a symmetric operator, r the inverse
deviation and b = mean(v_dx * P(dy)), the closed form is

    ds_dx = r [(v_dgamma - gamma r c(v_dx)) P(dy) - gamma r (c(dy) P(v_dx) + normalised b)],
    ds_dgamma = r n b,   ds_ddy = gamma r P(v_dx) + v_dgamma normalised + v_dbeta.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bn_reference.arithmetic.quad import quietly
from bn_reference.definition.graph import Forward, Rows, Vector, column, mean_of, sum_of


@dataclass(frozen=True)
class Upstream:
    """What the scalar s weighs the first-order gradients with: rows (C, n), and vectors (C,)."""

    v_dx: Rows
    v_dgamma: Vector
    v_dbeta: Vector


class RowSecondOrder(NamedTuple):
    """Gradients of s: ds_dx and ds_ddy of shape (C, n), ds_dgamma of shape (C,)."""

    ds_dx: Rows
    ds_dgamma: Vector
    ds_ddy: Rows


def project(rows: Rows, normalised: Rows) -> Rows:
    """P: rows without their mean and without what they have along the normalised values."""
    return np.asarray(rows - column(mean_of(rows)) - normalised * column(mean_of(rows * normalised)))


@quietly
def second_order(dy: Rows, nodes: Forward, gamma: Vector | None, upstream: Upstream) -> RowSecondOrder:
    """Node by node: back through the gradients in closed form, then back through the forward pass."""
    count = np.float64(dy.shape[1]).astype(dy.dtype)
    normalised, inverse, v = nodes.normalised, nodes.inverse_deviation, upstream.v_dx
    scale = np.ones_like(inverse) if gamma is None else gamma
    # The first-order gradients: dx = factor * inner.
    m1, m2 = sum_of(dy) / count, sum_of(dy * normalised) / count
    inner = dy - column(m1) - normalised * column(m2)
    factor = scale * inverse
    # Back through them.
    d_factor = sum_of(v * inner)
    d_gamma, d_inverse = d_factor * inverse, d_factor * scale
    d_inner = column(factor) * v
    d_m1, d_m2 = -sum_of(d_inner), -sum_of(d_inner * normalised)
    d_dbeta, d_dgamma = upstream.v_dbeta + d_m1 / count, upstream.v_dgamma + d_m2 / count
    d_dy = d_inner + column(d_dbeta) + column(d_dgamma) * normalised
    d_normalised = column(d_dgamma) * dy - d_inner * column(m2)
    # Back through the forward pass.
    d_inverse = d_inverse + sum_of(d_normalised * nodes.centred)
    d_deviation = -d_inverse * inverse * inverse
    d_variance = d_deviation * inverse / 2
    d_centred = d_normalised * column(inverse) + 2 * column(d_variance / count) * nodes.centred
    return RowSecondOrder(d_centred - column(mean_of(d_centred)), d_gamma, d_dy)


@quietly
def second_order_closed_form(dy: Rows, nodes: Forward, gamma: Vector | None, upstream: Upstream) -> RowSecondOrder:
    """The same in closed form (the module's docstring)."""
    count = np.float64(dy.shape[1]).astype(dy.dtype)
    normalised, inverse, v = nodes.normalised, nodes.inverse_deviation, upstream.v_dx
    factor = inverse if gamma is None else gamma * inverse
    own, other = project(dy, normalised), project(v, normalised)
    along_dy, along_v = mean_of(dy * normalised), mean_of(v * normalised)
    both = mean_of(v * own)
    first = column(upstream.v_dgamma - factor * along_v) * own
    second = column(factor) * (column(along_dy) * other + normalised * column(both))
    return RowSecondOrder(
        ds_dx=column(inverse) * (first - second),
        ds_dgamma=inverse * count * both,
        ds_ddy=column(factor) * other + column(upstream.v_dgamma) * normalised + column(upstream.v_dbeta),
    )


@quietly
def inference_second_order(dy: Rows, nodes: Forward, gamma: Vector | None, upstream: Upstream) -> RowSecondOrder:
    """In inference, where the statistics are constants: dx = gamma r dy, so that x enters through dgamma alone."""
    inverse, v = nodes.inverse_deviation, upstream.v_dx
    factor = inverse if gamma is None else gamma * inverse
    return RowSecondOrder(
        ds_dx=column(upstream.v_dgamma * inverse) * dy,
        ds_dgamma=inverse * sum_of(dy * v),
        ds_ddy=column(factor) * v + column(upstream.v_dgamma) * nodes.normalised + column(upstream.v_dbeta),
    )
