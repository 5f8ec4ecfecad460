"""Deviations of what y is divided by: the estimator, the root, and where eps enters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.deviations.rounding import FLOAT16, through
from bn_reference.layer.first_order import Array, Mode, Saved
from bn_reference.layer.layer import PlainLayer


@deviation(
    "y-unbiased",
    clause="FWD-1",
    effect="outputs are smaller by sqrt((n - 1) / n), which small batches show",
)
class UnbiasedY(PlainLayer):
    """The unbiased variance, divided by n - 1, normalises the batch."""

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Note the number of values of a channel."""
        self.batch_count = int(self.counted(x, mask).sum())
        return super().normalisers(x, mask, training)

    def normaliser(self, variance: Array, mode: Mode) -> Array:
        """Multiply the variance by n / (n - 1) before the root."""
        if mode == "training" and self.batch_count > 1:
            variance = variance * self.constant(float(self.batch_count)) / self.constant(float(self.batch_count - 1))
        return super().normaliser(variance, mode)


@deviation(
    "eps-outside-root",
    clause="FWD-2",
    effect="channels of small variance come out up to sqrt(eps) / eps times too small or too large",
    link="https://github.com/Tencent/ncnn/pull/311",
)
class EpsOutsideRoot(PlainLayer):
    """eps is added to the standard deviation instead of the variance."""

    def normaliser(self, variance: Array, mode: Mode) -> Array:
        """Compute 1 / (sqrt(variance) + eps)."""
        return np.asarray(1 / (self.root(variance) + self.eps_in(mode)))


@deviation(
    "eps-under-root-of-its-own",
    clause="FWD-2",
    effect="outputs are too small wherever the standard deviation is near sqrt(eps)",
)
class EpsUnderItsOwnRoot(PlainLayer):
    """The root of eps is added to the standard deviation: sqrt(variance) + sqrt(eps)."""

    def normaliser(self, variance: Array, mode: Mode) -> Array:
        """Compute 1 / (sqrt(variance) + sqrt(eps))."""
        return np.asarray(1 / (self.root(variance) + self.root(self.eps_in(mode))))


@deviation(
    "eps-twice-in-training",
    clause="FWD-2",
    effect="outputs of channels of small variance are too small, and only in training",
)
class EpsTwice(PlainLayer):
    """Training adds eps twice, to the variance and once more under the root."""

    def eps_in(self, mode: Mode) -> Any:
        """Give twice eps in training."""
        eps = super().eps_in(mode)
        return eps + eps if mode == "training" else eps


@deviation(
    "eps-missing-in-training",
    clause="FWD-2",
    effect="constant channels divide by zero, and channels of small variance come out too large",
)
class EpsMissing(PlainLayer):
    """Training adds no eps."""

    def eps_in(self, mode: Mode) -> Any:
        """Give zero in training."""
        return self.constant(0.0) if mode == "training" else super().eps_in(mode)


@deviation(
    "eps-in-numerator",
    clause="FWD-2",
    effect="outputs are shifted by eps over the deviation",
)
class EpsInNumerator(PlainLayer):
    """eps is added to the centred value as well as to the variance."""

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Subtract eps from the mean."""
        saved = super().normalisers(x, mask, training)
        return replace(saved, mean=saved.mean - self.eps)


@deviation(
    "eps-as-floor",
    clause="FWD-2",
    effect="channels of a variance above eps are normalised without it",
    link="https://github.com/vacancy/Synchronized-BatchNorm-PyTorch/issues/38",
)
class EpsAsFloor(PlainLayer):
    """The larger of variance and eps is used instead of their sum."""

    def normaliser(self, variance: Array, mode: Mode) -> Array:
        """Compute 1 / sqrt(max(variance, eps))."""
        return np.asarray(1 / self.root(np.maximum(variance, self.eps_in(mode))))


class _OwnEps(PlainLayer):
    """A layer that changes its eps when it is built."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.eps = self.other_eps()

    def other_eps(self) -> Any:
        """Give the wrong eps."""
        return self.eps


@deviation(
    "eps-fixed",
    clause="FWD-2",
    effect="a model trained with another eps gives other outputs after a port",
    link="https://github.com/chainer/chainer/issues/4858",
)
class EpsFixed(_OwnEps):
    """eps is 1e-5, whatever was configured."""

    def other_eps(self) -> Any:
        """Give 1e-5."""
        return self.constant(1e-5)


@deviation(
    "eps-squared",
    clause="FWD-2",
    effect="eps has no effect where it is small, and too large a one where it is large",
)
class EpsSquared(_OwnEps):
    """eps is squared, as if it belonged to the standard deviation."""

    def other_eps(self) -> Any:
        """Give the square of eps."""
        return self.eps * self.eps


@deviation(
    "eps-at-least-1.001e-5",
    clause="FWD-2",
    effect="a smaller eps is silently replaced, and channels of tiny variance come out too small",
    link="https://github.com/tensorflow/tensorflow/issues/37768",
)
class EpsAtLeast(_OwnEps):
    """An eps below 1.001e-5 is raised to it, as old cuDNN required."""

    def other_eps(self) -> Any:
        """Give the larger of eps and 1.001e-5."""
        return np.maximum(self.eps, self.constant(1.001e-5))


@deviation(
    "eps-in-float16",
    clause="FWD-2",
    effect="an eps of 1e-7 becomes 1.2e-7, and one below 3e-8 becomes zero",
)
class EpsInHalf(_OwnEps):
    """eps is kept in float16."""

    def other_eps(self) -> Any:
        """Round eps to float16."""
        return through(self, np.asarray(self.eps), FLOAT16)[()]


@deviation(
    "eps-and-momentum-swapped",
    clause="FWD-2",
    effect="both look plausible, and outputs shrink by sqrt(1 + momentum)",
)
class EpsAndMomentumSwapped(PlainLayer):
    """The arguments eps and momentum are passed in each other's place."""

    def __init__(self, config: Any, *arguments: Any, **named: Any) -> None:
        if isinstance(config.momentum, float) and config.eps is not None and config.eps <= 1.0:
            config = replace(config, eps=config.momentum, momentum=config.eps)
        super().__init__(config, *arguments, **named)


@deviation(
    "root-missing",
    clause="FWD-1",
    effect="outputs have the deviation of 1 / sigma instead of 1",
)
class RootMissing(PlainLayer):
    """The batch is divided by its variance instead of its standard deviation."""

    def normaliser(self, variance: Array, mode: Mode) -> Array:
        """Compute 1 / (variance + eps) in training."""
        if mode == "inference":
            return super().normaliser(variance, mode)
        return np.asarray(1 / (variance + self.eps_in(mode)))


@deviation(
    "mean-absolute-deviation",
    clause="FWD-1",
    effect="outputs are about a quarter too large, more so with outliers",
)
class MeanAbsoluteDeviation(PlainLayer):
    """The mean absolute deviation takes the place of the standard deviation."""

    def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
        """Give the square of the mean absolute deviation."""
        apart = np.where(counted, np.abs(rows - mean), self.constant(0.0))
        size = self.total(apart, "variance") / self.count(counted)
        return np.asarray(size * size)
