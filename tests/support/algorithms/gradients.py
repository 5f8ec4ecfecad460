"""Ways to compute dx, dgamma and dbeta of a training step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.support.algorithms.sums import Rows, Sum, Vector, fused


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
