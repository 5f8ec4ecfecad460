"""Deviations of running statistics: what they take in."""

from __future__ import annotations

from collections.abc import Callable

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer

# What they take in.


def _taking_in(
    name: str, sentence: str, effect: str, change: Callable[..., tuple[Array, Array]], link: str = ""
) -> None:
    """Register a layer whose running statistics take in other values: change(layer, mean, variance, count)."""

    class TakingIn(PlainLayer):
        def move(self, mean: Array, variance: Array, count: int) -> None:
            """Move by the changed statistics."""
            mean, variance = change(self, mean, variance, count)
            super().move(mean, variance, count)

    TakingIn.__doc__ = sentence
    deviation(name, clause="STAT-2", effect=effect, link=link)(TakingIn)


def _bessel(layer: PlainLayer, values: Array, count: int) -> Array:
    return values * layer.constant(float(count)) / layer.constant(float(count - 1)) if count > 1 else values


def _about_running_mean(layer: PlainLayer, mean: Array, variance: Array, count: int) -> tuple[Array, Array]:
    apart = mean - layer.wide(layer.running_mean)
    return mean, variance + apart * apart


def _about_moved_mean(layer: PlainLayer, mean: Array, variance: Array, count: int) -> tuple[Array, Array]:
    apart = mean - layer.wide(layer.blend(layer.running_mean, mean, layer.weights()))
    return mean, variance + apart * apart


_taking_in(
    "running-deviation",
    "running_var takes in the standard deviation.",
    "inference divides by the fourth root of the variance",
    lambda layer, mean, variance, count: (mean, layer.root(variance)),
)
_taking_in(
    "running-mean-of-squares",
    "running_var takes in the mean of the squares, not centred.",
    "inference shrinks channels whose mean is not zero",
    lambda layer, mean, variance, count: (mean, variance + mean * mean),
)
_taking_in(
    "running-var-about-running-mean",
    "running_var takes in the variance about the running mean.",
    "running variances are too large while the mean still moves",
    _about_running_mean,
)
_taking_in(
    "running-var-about-moved-mean",
    "running_var takes in the variance about the running mean that was just moved.",
    "running variances are too large while the mean still moves",
    _about_moved_mean,
)
_taking_in(
    "bessel-twice",
    "running_var takes in a variance corrected by n / (n - 1) once too often.",
    "running variances are too large for small batches",
    lambda layer, mean, variance, count: (mean, _bessel(layer, variance, count)),
)
_taking_in(
    "bessel-of-batch-size",
    "Bessel's correction counts the entries of the batch and not their pixels.",
    "running variances of images are too large by a factor of up to two",
    lambda layer, mean, variance, count: (
        mean,
        _bessel(layer, variance, layer.shape[0]) * layer.constant(float(count - 1)) / layer.constant(float(count))
        if count > 1
        else variance,
    ),
)
_taking_in(
    "bessel-of-mean",
    "The running mean takes in a mean corrected by n / (n - 1).",
    "running means are too large",
    lambda layer, mean, variance, count: (_bessel(layer, mean, count), variance),
)
_taking_in(
    "running-statistics-swapped",
    "The running mean takes in the variance, and the running variance the mean.",
    "inference gives NaN where a mean is negative",
    lambda layer, mean, variance, count: (variance, mean),
)


@deviation(
    "running-deviation-averaged",
    clause="STAT-2",
    effect="running variances are too small where batches differ",
)
class RunningDeviationAveraged(PlainLayer):
    """running_var is the square of an average of standard deviations."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Average the deviations, and square the result."""
        before, weights = self.running_var, self.weights()
        super().move(mean, variance, count)
        estimate = self.root(self.estimate(variance, count))
        average = weights.old * self.root(self.wide(before)) + weights.new * estimate
        self.running_var = self.store(average * average, self.statistics_dtype)
