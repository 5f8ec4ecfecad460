"""eps and momentum that nobody can choose, measured from what a layer gives."""

from __future__ import annotations

from math import isfinite, log2

import numpy as np

from bn_adapters.wrappers.torch.layer import ModuleRecipe
from bn_adapters.wrappers.torch.trial_run import config_of, layer_for
from bn_adapters.wrappers.trial import CHANNELS
from bn_conformance.adapter import Array

AMPLITUDES = (2.0**-14, 2.0**-10, 2.0**-6)
"""Of batches of two values, a and -a: their mean is 0 and their variance a^2, exactly."""

PAIRS = 32
"""Pairs of a and -a in a batch."""


def measured_eps(recipe: ModuleRecipe, rank: int, axis: int, dtype: str, training: bool, expected: str) -> float | None:
    """The eps of a layer.

    y of a is a * sqrt(k / (a^2 + k * eps)) with k = 1, or n / (n - 1) of a faulty layer: 1 / y^2 is linear in 1 / a^2.
    With eps outside the root 1 / y is linear in 1 / a. The third amplitude tells which.

    Returns:
        It; None where neither fits, or it is 0.
    """
    ys = [_of_pairs(recipe, rank, axis, dtype, training, amplitude, expected) for amplitude in AMPLITUDES]
    if not all(isfinite(y) and y > 0 for y in ys):
        return None
    for power in (2, 1):
        small, middle, large = (1 / y**power for y in ys)
        steps = [1 / amplitude**power for amplitude in AMPLITUDES]
        eps = (small - middle) / (steps[0] - steps[1])
        left = large - eps * steps[2] - (middle - eps * steps[1])
        if eps > 1e-20 and abs(left) < 1e-3 * middle:
            return _round(eps)
    return None


def _of_pairs(
    recipe: ModuleRecipe, rank: int, axis: int, dtype: str, training: bool, amplitude: float, expected: str
) -> float:
    """y of a, for a batch of a and -a in equal parts; in inference with the running variance a^2."""
    layer = layer_for(recipe, config_of(rank, axis, dtype), expected)
    ones = np.ones(CHANNELS, dtype)
    layer.set_parameters(ones, 0 * ones)
    if not training:
        layer.set_running_statistics(0 * ones, amplitude**2 * ones)
    y = layer.forward(_batch(rank, axis, dtype, amplitude, -amplitude), training)
    return float(np.asarray(y, np.float64).max())


def _batch(rank: int, axis: int, dtype: str, first: float, second: float) -> Array:
    """A batch of two values in equal parts, in every channel."""
    shape = [1] * rank
    shape[0] = 2 * PAIRS
    values = np.array([first, second] * PAIRS).reshape(shape)
    shape[axis] = CHANNELS
    for other in range(1, rank):
        shape[other] = shape[other] if other == axis else 2
    return np.ascontiguousarray(np.broadcast_to(values, shape).astype(dtype))


def measured_weight(recipe: ModuleRecipe, rank: int, axis: int, dtype: str, expected: str) -> float | None:
    """The weight of the new statistic in the running mean, after one training step; None where it does not move."""
    layer = layer_for(recipe, config_of(rank, axis, dtype), expected)
    ones = np.ones(CHANNELS, dtype)
    layer.set_running_statistics(0 * ones, ones)
    layer.forward(_batch(rank, axis, dtype, 0.5, 1.5), True)
    after = layer.running_statistics().mean
    weight = float(np.asarray(after, np.float64).mean())
    return _round(weight) if isfinite(weight) and 0 < weight <= 1 else None


def _round(value: float) -> float:
    """The shortest decimal, or power of two, near a measured value; the value itself where none is near."""
    power = 2.0 ** round(log2(value))
    if abs(power - value) < 1e-6 * value:
        return power
    for digits in (1, 2, 3, 4):
        short = float(f"{value:.{digits - 1}e}")
        if abs(short - value) < 1e-3 * value / 10 ** (digits - 1):
            return short
    return float(f"{value:.7g}")
