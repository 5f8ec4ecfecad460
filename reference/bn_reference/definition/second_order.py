"""The second order: gradients of gradients, from a backward pass through the backward pass of batch normalisation.

Weights v_dx of shape (C, n), v_dgamma and v_dbeta of shape (C,) make a scalar of the first-order gradients,

    s = sum(dx * v_dx) + sum(dgamma * v_dgamma) + sum(dbeta * v_dbeta).

The second order is the gradient of s with respect to x, gamma and dy. (No first-order gradient depends on beta.) This
module has it node by node and in closed form, for rows of any dtype, with the shapes of `definition.graph`.

Source: the chain rule applied to `graph.backward_closed_form` and `graph.forward`. Let r be the inverse deviation,
m(a) = mean(a), c(a) = mean(a * normalised), P(a) = a - m(a) - normalised * c(a), which is a symmetric operator, and
b = mean(v_dx * P(dy)). The closed form is

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
    """The weights of the first-order gradients in s: rows v_dx (C, n), vectors v_dgamma and v_dbeta (C,)."""

    v_dx: Rows
    v_dgamma: Vector
    v_dbeta: Vector


class RowSecondOrder(NamedTuple):
    """Gradients of s: ds_dx and ds_ddy of shape (C, n), ds_dgamma of shape (C,)."""

    ds_dx: Rows
    ds_dgamma: Vector
    ds_ddy: Rows


def project(rows: Rows, normalised: Rows) -> Rows:
    """P: rows without their mean, and without their component along the normalised values."""
    return np.asarray(rows - column(mean_of(rows)) - normalised * column(mean_of(rows * normalised)))


@quietly
def second_order(dy: Rows, nodes: Forward, gamma: Vector | None, upstream: Upstream) -> RowSecondOrder:
    """The second order in training, node by node: back through the first-order gradients, then the forward pass."""
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
    """The second order in training in the closed form of the module's docstring."""
    count = np.float64(dy.shape[1]).astype(dy.dtype)
    normalised, inverse, v = nodes.normalised, nodes.inverse_deviation, upstream.v_dx
    factor = inverse if gamma is None else gamma * inverse
    projected_dy, projected_v = project(dy, normalised), project(v, normalised)
    along_dy, along_v = mean_of(dy * normalised), mean_of(v * normalised)
    both = mean_of(v * projected_dy)
    first = column(upstream.v_dgamma - factor * along_v) * projected_dy
    second = column(factor) * (column(along_dy) * projected_v + normalised * column(both))
    return RowSecondOrder(
        ds_dx=column(inverse) * (first - second),
        ds_dgamma=inverse * count * both,
        ds_ddy=column(factor) * projected_v + column(upstream.v_dgamma) * normalised + column(upstream.v_dbeta),
    )


@quietly
def inference_second_order(dy: Rows, nodes: Forward, gamma: Vector | None, upstream: Upstream) -> RowSecondOrder:
    """The second order in inference: the statistics are constants, dx = gamma r dy, and only dgamma depends on x."""
    inverse, v = nodes.inverse_deviation, upstream.v_dx
    factor = inverse if gamma is None else gamma * inverse
    return RowSecondOrder(
        ds_dx=column(upstream.v_dgamma * inverse) * dy,
        ds_dgamma=inverse * sum_of(dy * v),
        ds_ddy=column(factor) * v + column(upstream.v_dgamma) * nodes.normalised + column(upstream.v_dbeta),
    )
