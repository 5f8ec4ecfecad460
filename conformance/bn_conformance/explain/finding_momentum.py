"""Finds what running statistics moved by: momentum, its direction, and the estimator of the variance."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from bn_conformance.explain.goldens import AFTER
from bn_conformance.explain.reading import ReadChoice, Reading, SaidOfStep
from bn_conformance.explain.recording import Recording
from bn_conformance.explain.trials import ReadingTrial, sampled, tried_reading
from bn_conformance.text import number
from bn_conformance.user_error import UserError
from bn_reference.arithmetic.channels import channels_first

USUAL_WEIGHTS = (0.1, 0.01, 0.001, 0.05, 0.03, 0.003, 0.0003, 0.2, 0.25, 0.3, 0.02, 0.5, 0.9, 0.99, 0.999, 1.0, 0.0)
"""Weights of the new statistic that frameworks and models use."""

NEAREST = 2
"""Usual weights that are tried: those nearest to what the numbers say."""

DIGITS = (2, 3, 4)


def with_momentum(recording: Recording, wishes: SaidOfStep, reading: Reading) -> tuple[Reading, list[ReadChoice]]:
    """A reading with the momentum and the estimator under which the running statistics moved as recorded.

    Raises:
        UserError: momentum is not allowed.
    """
    roles = [role for role in AFTER if role in recording.arrays]
    if not reading.training or not roles:
        return reading, []
    sample = sampled(recording, reading.config.channel_axis)
    momentum = recording.numbers.get("momentum") if wishes.momentum is None else wishes.momentum
    if momentum is not None and not 0.0 <= momentum <= 1.0:
        raise UserError(f"momentum is {momentum:g}; allowed are 0 to 1")
    estimators = _choices(wishes, "running_variance", ("unbiased", "biased"))
    directions = _choices(wishes, "momentum_weighs", ("new", "old"))
    weights = _weights(sample, reading, momentum, directions)
    tries: list[tuple[ReadingTrial, Reading]] = []
    for (weight, direction), estimator in product(weights, estimators):
        one = reading.with_(momentum=weight, running_variance=estimator, momentum_weighs=direction)
        tries.append((tried_reading(sample, one, roles), one))
    trial, best = min(tries, key=lambda one: one[0])
    fitting = [one for made, one in tries if made.fits]
    return best, [
        _estimator_setting(wishes, roles, best, trial, fitting),
        _momentum_setting(momentum, wishes, best, trial),
        *_before_settings(recording, roles),
    ]


def _choices(wishes: SaidOfStep, name: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    return (wishes.convention[name],) if name in wishes.convention else allowed


def _weights(
    sample: Recording, reading: Reading, momentum: float | None, directions: tuple[str, ...]
) -> list[tuple[float, str]]:
    """Weights of the new statistic, each with its direction."""
    if momentum is not None:
        return [(momentum if direction == "new" else 1.0 - momentum, direction) for direction in directions]
    estimate = _estimate(sample, reading)
    if not np.isfinite(estimate) or not 0.0 <= estimate <= 1.0:
        return [(weight, directions[0]) for weight in USUAL_WEIGHTS]
    usual = sorted(USUAL_WEIGHTS, key=lambda weight: abs(weight - estimate))[:NEAREST]
    rounded = [float(f"{estimate:.{digits}g}") for digits in DIGITS]
    kept = [1.0 - float(f"{1.0 - estimate:.{digits}g}") for digits in DIGITS]
    own = [weight for weight in (*rounded, *kept) if 0.0 <= weight <= 1.0]
    return [(weight, directions[0]) for weight in dict.fromkeys((*usual, *own))]


def _estimate(sample: Recording, reading: Reading) -> float:
    """(after - before) / (batch - before), in the channel where that is sharpest."""
    arrays, axis = sample.arrays, reading.config.channel_axis
    rows = channels_first(sample.x, axis).astype(np.float64)
    name = "running_mean" if "running_mean_after" in arrays else "running_var"
    batch = rows.mean(axis=1) if name == "running_mean" else rows.var(axis=1)
    start = np.zeros(len(batch)) if name == "running_mean" else np.ones(len(batch))
    before = np.asarray(arrays.get(name, start), np.float64)
    after = arrays[f"{name}_after"].astype(np.float64)
    place = int(np.argmax(np.where(np.isfinite(batch - before), np.abs(batch - before), -1.0)))
    return float((after[place] - before[place]) / (batch[place] - before[place]))


def _estimator_setting(
    wishes: SaidOfStep, roles: list[str], best: Reading, trial: ReadingTrial, fitting: list[Reading]
) -> ReadChoice:
    value = best.convention.running_variance
    if "running_variance" in wishes.convention:
        return ReadChoice("running_variance", value, "given")
    if "running_var_after" not in roles:
        return ReadChoice("running_variance", value, "assumed", "no running variance was recorded")
    if not trial.fits:
        return ReadChoice("running_variance", value, "nearest")
    if len({one.convention.running_variance for one in fitting}) > 1:
        return ReadChoice("running_variance", value, "undecided", "both estimators would fit")
    return ReadChoice("running_variance", value, "found")


def _momentum_setting(given: float | None, wishes: SaidOfStep, best: Reading, trial: ReadingTrial) -> ReadChoice:
    weight: Any = best.config.momentum
    old = f"{number(weight, 6)} of the new statistic, {number(1.0 - weight, 6)} of the old"
    if given is None:
        note = old if weight in USUAL_WEIGHTS else f"{old}; no usual one fits"
        return ReadChoice("momentum", weight, "found" if trial.fits else "nearest", note)
    direction = best.convention.momentum_weighs
    note = f"it weighs the {direction} statistic" + ("" if "momentum_weighs" in wishes.convention else ", as was found")
    return ReadChoice("momentum", given, "given", note)


def _before_settings(recording: Recording, roles: list[str]) -> list[ReadChoice]:
    """What stands for statistics before the step that nobody recorded."""
    lacking = [AFTER[role] for role in roles if AFTER[role] not in recording.arrays]
    values = {"running_mean": 0.0, "running_var": 1.0}
    return [
        ReadChoice(f"{name} before", values[name], "assumed", "it was not recorded; a fresh layer has this")
        for name in lacking
    ]
