"""Ways to compute dx, dgamma and dbeta of a training step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_conformance.algorithms.sums import Rows, Sum, Vector, fused


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
        """Values a channel, in the dtype of the rows."""
        return self.x.dtype.type(self.x.shape[1])

    @property
    def centred(self) -> Rows:
        """x without its mean."""
        return np.asanyarray(self.x - self.mean[:, None])

    @property
    def normalised(self) -> Rows:
        """x without its mean, over its deviation."""
        return np.asanyarray(self.centred * self.inverse[:, None])


Gradients = tuple[Rows, Vector, Vector]
Backward = Callable[[Rows, Pass], Gradients]


def closed_form(dy: Rows, nodes: Pass) -> Gradients:
    """gamma / sigma * (dy - mean of dy - normalised * mean of dy normalised)."""
    dbeta, dgamma = nodes.add(dy), nodes.add(dy * nodes.normalised)
    inner = dy - (dbeta / nodes.count)[:, None] - nodes.normalised * (dgamma / nodes.count)[:, None]
    return (nodes.gamma * nodes.inverse)[:, None] * inner, dgamma, dbeta


def multiplied_out(dy: Rows, nodes: Pass) -> Gradients:
    """gamma / (n sigma) * (n dy - dbeta - normalised * dgamma)."""
    dbeta, dgamma = nodes.add(dy), nodes.add(dy * nodes.normalised)
    inner = nodes.count * dy - dbeta[:, None] - nodes.normalised * dgamma[:, None]
    return (nodes.gamma * nodes.inverse / nodes.count)[:, None] * inner, dgamma, dbeta


def fused_closed_form(dy: Rows, nodes: Pass) -> Gradients:
    """The closed form, its two subtractions fused with the products before them."""
    dbeta, dgamma = nodes.add(dy), nodes.add(dy * nodes.normalised)
    inner = fused(-nodes.normalised, (dgamma / nodes.count)[:, None], dy - (dbeta / nodes.count)[:, None])
    return (nodes.gamma * nodes.inverse)[:, None] * inner, dgamma, dbeta


def staged(dy: Rows, nodes: Pass) -> Gradients:
    """Node by node, as the paper's equations: through the variance, then through the mean."""
    half, two = nodes.x.dtype.type(0.5), nodes.x.dtype.type(2)
    dbeta, dgamma = nodes.add(dy), nodes.add(dy * nodes.normalised)
    d_normalised = dy * nodes.gamma[:, None]
    cube = nodes.inverse * nodes.inverse * nodes.inverse
    d_variance = -half * nodes.add(d_normalised * nodes.centred) * cube
    d_mean = (
        -nodes.add(d_normalised * nodes.inverse[:, None]) - two * d_variance * nodes.add(nodes.centred) / nodes.count
    )
    dx = d_normalised * nodes.inverse[:, None] + nodes.centred * (two * d_variance / nodes.count)[:, None]
    return dx + (d_mean / nodes.count)[:, None], dgamma, dbeta


def folded_derivative(dy: Rows, nodes: Pass) -> Gradients:
    """The derivative of y = a x + b, a = gamma / sigma, b = beta - mean a, with two-pass statistics."""
    two = nodes.x.dtype.type(2)
    d_b, d_a = nodes.add(dy), nodes.add(dy * nodes.x)
    d_a = d_a - nodes.mean * d_b
    scale = nodes.gamma * nodes.inverse
    d_variance = -d_a * nodes.gamma * nodes.inverse * nodes.inverse * nodes.inverse / two
    d_mean = -scale * d_b
    dx = dy * scale[:, None] + nodes.centred * (d_variance * two / nodes.count)[:, None]
    return dx + (d_mean / nodes.count)[:, None], d_a * nodes.inverse, d_b


def raw_derivative(dy: Rows, nodes: Pass) -> Gradients:
    """The derivative through E[x^2] - E[x]^2."""
    two = nodes.x.dtype.type(2)
    dbeta, dgamma = nodes.add(dy), nodes.add(dy * nodes.normalised)
    scale = nodes.gamma * nodes.inverse
    d_variance = -(dgamma * nodes.gamma) * nodes.inverse * nodes.inverse / two
    d_mean = -scale * dbeta - two * nodes.mean * d_variance
    dx = dy * scale[:, None] + nodes.x * (d_variance * two / nodes.count)[:, None]
    return dx + (d_mean / nodes.count)[:, None], dgamma, dbeta
