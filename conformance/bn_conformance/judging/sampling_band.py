"""The textbook's own experiment: after training, test-time outputs have means near 0 and deviations near 1.

How near follows from sampling theory. A batch has N values of population mean mu, deviation s and kurtosis k, and there
are t updates of weight a. The mean of a test batch differs from the running mean by a standard deviation of
s * sqrt((1 + a / (2 - a)) / N). Their variances differ, relatively, by sqrt(k - 1) times the same factor. The initial
statistics keep a weight of (1 - a)**t. The band is five of these deviations plus that remainder. (An exponential
average of independent terms of variance v has a variance that tends to v * a / (2 - a).)
"""

from __future__ import annotations

import numpy as np

from bn_conformance.judging.arrays import fault
from bn_conformance.judging.context import StepContext
from bn_conformance.results import outcomes
from bn_conformance.results.records import Quantity
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.quad import to_float64
from bn_reference.definition.running import weights_of

DEVIATIONS = 5.0
"""Width of the band in standard deviations: a normal variable leaves it once in 1.7 million draws."""


def judge_band(step: StepContext) -> Quantity:
    """Judge means and deviations of a test-time output against the derived band; gamma is 1 and beta 0."""
    case, y, name = step.case, step.observation.forward.y, f"{step.name}.band"
    if not isinstance(y, np.ndarray):
        return fault(name, "there is no output", case.clauses)
    mean_band, deviation_band = bands(step)
    rows = channels_first(y, case.config.channel_axis).astype(np.float64)
    off_mean = np.abs(rows.mean(axis=1)) / mean_band
    off_deviation = np.abs(rows.std(axis=1) - 1.0) / deviation_band
    channel = int(np.argmax(np.maximum(off_mean, off_deviation)))
    ratio = float(np.nan_to_num(max(off_mean[channel], off_deviation[channel]), nan=np.inf))
    mean, deviation = float(rows[channel].mean()), float(rows[channel].std())
    allowed = f"mean within {mean_band[channel]:.3g} of 0, deviation within {deviation_band[channel]:.3g} of 1"
    return Quantity(
        name=name,
        outcome=outcomes.STABLE_LEVEL if ratio <= 1.0 else outcomes.WRONG,
        clauses=case.clauses,
        ratio=ratio,
        index=(channel,),
        judged=2 * rows.shape[0],
        total=2 * rows.shape[0],
        message=f"channel {channel} has mean {mean:.4g} and deviation {deviation:.4g}; allowed: {allowed}",
    )


def bands(step: StepContext) -> tuple[np.ndarray, np.ndarray]:
    """Allowed distance of output means from 0 and of output deviations from 1, per channel."""
    earlier = zip(step.context.goldens[: step.position], step.case.batches, strict=False)
    training = [golden for golden, batch in earlier if batch.training]
    rows = [to_float64(golden.golden.x) for golden in (*training, step.golden)]
    pooled = np.concatenate(rows, axis=1)
    mean, deviation = pooled.mean(axis=1), pooled.std(axis=1)
    kurtosis = (((pooled - mean[:, None]) / deviation[:, None]) ** 4).mean(axis=1)
    weight = float(weights_of(step.case.config, step.context.convention, len(training)).new)
    remainder = (1.0 - weight) ** len(training)
    factor = np.sqrt((1.0 + weight / (2.0 - weight)) / rows[-1].shape[1])
    mean_band = DEVIATIONS * factor + remainder * np.abs(mean) / deviation
    relative_variance = DEVIATIONS * np.sqrt(kurtosis - 1.0) * factor + remainder * (1.0 + 1.0 / deviation**2)
    return mean_band, relative_variance / 2.0 * (1.0 + relative_variance)
