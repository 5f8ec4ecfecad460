"""Running statistics: what a training batch makes of them, in any dtype."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_reference.config import CUMULATIVE, LayerConfig
from bn_reference.convention import Convention
from bn_reference.quad import QUAD, quietly

Vector = NDArray[Any]


@dataclass(frozen=True)
class Weights:
    """Weights of the old and of the new statistic in one update, as stored and computed exactly from there."""

    old: Any
    new: Any


def stored(value: float, dtype: str) -> Any:
    """A hyper-parameter in binary128, as kept in float64 or float32."""
    kept = np.float32(value) if dtype == "float32" else np.float64(value)
    return np.float64(kept).astype(QUAD)


def eps_of(config: LayerConfig, convention: Convention) -> Any:
    """The eps of a layer in binary128: configured, or the convention's default.

    Raises:
        ValueError: neither the configuration nor the convention has one.
    """
    eps = convention.default_eps if config.eps is None else config.eps
    if eps is None:
        raise ValueError("eps is None and the convention has no default_eps; set one of them")
    return stored(eps, convention.eps_dtype)


@quietly
def weights_of(config: LayerConfig, convention: Convention, updates_before: int) -> Weights:
    """The weights of the next update, after `updates_before` others.

    Momentum is rounded in the implementation's own direction: one that weighs the old statistic stores
    1 - momentum, and its weight of the new one is 1 minus that.

    Raises:
        ValueError: neither the configuration nor the convention has a momentum.
    """
    one = np.float64(1.0).astype(QUAD)
    if config.momentum == CUMULATIVE:
        new = one / np.float64(updates_before + 1).astype(QUAD)
        return Weights(one - new, new)
    if isinstance(config.momentum, float | int):
        own = config.momentum if convention.momentum_weighs == "new" else 1.0 - config.momentum
    elif convention.default_momentum is not None:
        own = convention.default_momentum
    else:
        raise ValueError("momentum is None and the convention has no default_momentum; set one of them")
    weighs_old, kept = convention.momentum_weighs == "old", convention.momentum_dtype
    if kept == "float32-new":
        own, weighs_old, kept = (1.0 - own if weighs_old else own), False, "float32"
    weight = stored(own, kept)
    return Weights(weight, one - weight) if weighs_old else Weights(one - weight, weight)


def bessel(count: int) -> tuple[int, int]:
    """n / (n - 1) as a fraction; 1 where n is at most 1, since an estimate from one value has no correction."""
    return (count, count - 1) if count > 1 else (1, 1)


@quietly
def batch_variance(variance: Vector, count: int, eps: Any, convention: Convention) -> Vector:
    """What the running variance takes in for a batch of `count` values a channel with the given biased variance."""
    if convention.running_variance == "unbiased":
        numerator, denominator = bessel(count)
        variance = variance * numerator / denominator
    return variance + eps if convention.eps_in_running_variance else variance


@quietly
def update(running: Vector, batch: Vector, weights: Weights) -> Vector:
    """old weight * running + new weight * batch, in the dtype of the arguments."""
    return np.asarray(weights.old * running + weights.new * batch)
