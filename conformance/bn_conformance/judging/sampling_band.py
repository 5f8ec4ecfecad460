"""The textbook's own experiment: after training, test-time outputs have means near 0 and deviations near 1.

How near is derived from sampling theory, not guessed. With N values a batch of population mean mu, deviation s and
kurtosis k, after t updates of weight a: the difference of a test batch's mean and the running mean has the standard
deviation s * sqrt((1 + a / (2 - a)) / N), and the relative difference of their variances sqrt(k - 1) times the same
factor; what is left of the initial statistics has the weight (1 - a)**t. The band is five of these deviations plus
what is left. (The variance of an exponential average of independent terms of variance v tends to v * a / (2 - a).)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.judging.goldens import StepGolden
from bn_conformance.observing.observation import StepObservation
from bn_conformance.results import outcomes
from bn_conformance.results.records import Quantity
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.quad import to_float64
from bn_reference.definition.running import weights_of

DEVIATIONS = 5.0
"""Width of the band in standard deviations: a normal variable leaves it once in 1.7 million draws."""


def judge_band(
    case: Case, position: int, seen: StepObservation, goldens: Sequence[StepGolden], convention: Convention
) -> Quantity:
    """Judge means and deviations of a test-time output against the derived band; gamma is 1 and beta 0."""
    name, clauses = f"step{position}.band", case.clauses
    if seen.forward is None or not isinstance(seen.forward.y, np.ndarray):
        return Quantity(name=name, outcome=outcomes.WRONG, clauses=clauses, message="there is no output")
    mean_band, deviation_band = bands(case, position, goldens, convention)
    rows = channels_first(seen.forward.y, case.config.channel_axis).astype(np.float64)
    off_mean = np.abs(rows.mean(axis=1)) / mean_band
    off_deviation = np.abs(rows.std(axis=1) - 1.0) / deviation_band
    channel = int(np.argmax(np.maximum(off_mean, off_deviation)))
    ratio = float(np.nan_to_num(max(off_mean[channel], off_deviation[channel]), nan=np.inf))
    mean, deviation = float(rows[channel].mean()), float(rows[channel].std())
    allowed = f"mean within {mean_band[channel]:.3g} of 0, deviation within {deviation_band[channel]:.3g} of 1"
    return Quantity(
        name=name,
        outcome=outcomes.STABLE if ratio <= 1.0 else outcomes.WRONG,
        clauses=clauses,
        ratio=ratio,
        index=(channel,),
        judged=2 * rows.shape[0],
        total=2 * rows.shape[0],
        message=f"channel {channel} has mean {mean:.4g} and deviation {deviation:.4g}; allowed: {allowed}",
    )


def bands(
    case: Case, position: int, goldens: Sequence[StepGolden], convention: Convention
) -> tuple[np.ndarray, np.ndarray]:
    """Allowed distance of output means from 0 and of output deviations from 1, per channel."""
    training = [step for step, batch in zip(goldens[:position], case.batches, strict=False) if batch.training]
    rows = [to_float64(step.golden.x) for step in (*training, goldens[position])]
    pooled = np.concatenate(rows, axis=1)
    mean, deviation = pooled.mean(axis=1), pooled.std(axis=1)
    kurtosis = (((pooled - mean[:, None]) / deviation[:, None]) ** 4).mean(axis=1)
    weight = float(weights_of(case.config, convention, len(training)).new)
    left = (1.0 - weight) ** len(training)
    factor = np.sqrt((1.0 + weight / (2.0 - weight)) / rows[-1].shape[1])
    mean_band = DEVIATIONS * factor + left * np.abs(mean) / deviation
    relative_variance = DEVIATIONS * np.sqrt(kurtosis - 1.0) * factor + left * (1.0 + 1.0 / deviation**2)
    return mean_band, relative_variance / 2.0 * (1.0 + relative_variance)
