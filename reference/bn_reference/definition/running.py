"""Running statistics: how a training batch moves them, in any dtype."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_reference.arithmetic.formats import format_of, nearest
from bn_reference.arithmetic.quad import QUAD, quietly
from bn_reference.specification.config import CUMULATIVE, LayerConfig
from bn_reference.specification.convention import Convention
from bn_reference.specification.grades import path_length

Vector = NDArray[Any]

KEPT = 4096
"""How many weights are kept: every step of a case asks for those of its update, and most cases ask for the same."""


@dataclass(frozen=True)
class Weights:
    """Weights of the old and of the new statistic in one update: exact results from the momentum as it is stored.

    Attributes:
        old, new: the weights, numbers of binary128.
        old_roundoffs, new_roundoffs: absolute errors of the weights that debiasing adds, in unit roundoffs (item 5 of
            BOUNDS.md).
    """

    old: Any
    new: Any
    old_roundoffs: Any = 0
    new_roundoffs: Any = 0

    def cast(self, dtype: np.dtype[Any]) -> Weights:
        """The same weights rounded to another format."""
        return self._near if dtype == np.float64 else self._rounded(dtype)

    def _rounded(self, dtype: np.dtype[Any]) -> Weights:
        parts = (self.old, self.new, self.old_roundoffs, self.new_roundoffs)
        return Weights(*(np.asarray(part).astype(dtype)[()] for part in parts))

    @cached_property
    def _near(self) -> Weights:
        return self._rounded(np.dtype(np.float64))


def stored(value: float, dtype: str) -> Any:
    """A hyper-parameter, rounded to the format that it is stored in, as binary128."""
    return np.float64(nearest(value, format_of(dtype))).astype(QUAD)


def eps_of(config: LayerConfig, convention: Convention) -> Any:
    """The eps of a layer in binary128: the configured one, or else the convention's default, as the layer keeps it.

    Raises:
        ValueError: neither the configuration nor the convention has one.
    """
    eps = convention.default_eps if config.eps is None else config.eps
    if eps is None:
        raise ValueError("eps is None and the convention has no default_eps; set one of them")
    return stored(eps, config.dtype if convention.eps_dtype == "x" else convention.eps_dtype)


@lru_cache(KEPT)
@quietly
def weights_of(config: LayerConfig, convention: Convention, updates_before: int) -> Weights:
    """The weights of the next update.

    The momentum is rounded as the implementation stores it. One that weighs the old statistic stores 1 - momentum, and
    its weight of the new statistic is 1 minus the stored number.

    `debiasing` changes the weights from update to update. With "first-batch" the first update has the weights 0 and 1.
    With "zero-debias" a hidden average starts at 0, and the layer shows hidden / (1 - keep**t) after t updates
    (D. P. Kingma, J. Ba, "Adam", 2015, section 3). A cumulative average gives its initial values no weight anyhow, so
    `debiasing` does not change it.

    Args:
        config: the layer.
        convention: the choices that it makes.
        updates_before: how many updates came before this one.

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
    old, new = (weight, one - weight) if weighs_old else (one - weight, weight)
    if convention.debiasing == "first-batch" and updates_before == 0:
        return Weights(one - one, one)
    if convention.debiasing == "zero-debias" and new != 0:
        return _zero_debiased(old, new, updates_before)
    return Weights(old, new)


def _zero_debiased(keep: Any, new: Any, updates_before: int) -> Weights:
    """The weights that take hidden / (1 - keep**t) to the next such value; they sum to 1.

    Let s(t) = 1 + keep + ... + keep**(t - 1). Then 1 - keep**t = (1 - keep) s(t), and the weights are
    keep s(t) / s(t + 1) and 1 / s(t + 1), without cancellation. In floating point keep**t has an error of h(t) unit
    roundoffs, and 1 - keep**t has one rounding more. The update divides by that number for t and for t + 1.
    """
    before, power_before = _geometric(keep, updates_before)
    after = 1 + keep * before
    old, total = keep * before / after, new * after
    if updates_before == 0:
        return Weights(old, 1 / after, 0, (path_length(1) * keep + 2) / total)
    divided = (path_length(updates_before + 1) * keep * power_before + 1) / total
    missing = (path_length(updates_before) * power_before + 1) / total
    return Weights(old, 1 / after, keep * missing + old * divided, 1 / total + divided / after)


def _geometric(ratio: Any, count: int) -> tuple[Any, Any]:
    """1 + ratio + ... + ratio**(count - 1), and ratio**count, by doubling."""
    if count == 0:
        return ratio * 0, ratio * 0 + 1
    total, power = _geometric(ratio, count // 2)
    total, power = total * (1 + power), power * power
    return (1 + ratio * total, ratio * power) if count % 2 else (total, power)


def bessel(count: int) -> tuple[int, int]:
    """Numerator and denominator of n / (n - 1); of 1 where n is at most 1, which has no unbiased estimate."""
    return (count, count - 1) if count > 1 else (1, 1)


@quietly
def batch_variance(variance: Vector, count: int, eps: Any, convention: Convention) -> Vector:
    """The variance of a batch that enters the running variance: with Bessel's factor and eps, as the convention says.

    Args:
        variance: the biased variance of the batch, a vector of shape (C,).
        count: values per channel.
        eps: the layer's eps.
        convention: says which estimator it is, and whether eps is in it.
    """
    if convention.running_variance == "unbiased":
        numerator, denominator = bessel(count)
        variance = variance * numerator / denominator
    return variance + eps if convention.eps_in_running_variance else variance


@quietly
def update(running: Vector, batch: Vector, weights: Weights) -> Vector:
    """old weight * running + new weight * batch, in the dtype of the arguments."""
    return np.asarray(weights.old * running + weights.new * batch)
