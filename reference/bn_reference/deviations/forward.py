"""Deviations of what y is made of: another mean, another variance, or no normalisation at all."""

from __future__ import annotations

from dataclasses import replace

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Saved
from bn_reference.layer.layer import PlainLayer


@deviation(
    "variance-uncentred",
    clause="FWD-1",
    effect="outputs of channels whose mean is not zero are too small",
)
class VarianceUncentred(PlainLayer):
    """The mean of the squares takes the place of the variance."""

    def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
        """Take the variance about zero."""
        return super().variance_of(rows, mean * self.constant(0.0), counted)


@deviation(
    "mean-not-subtracted",
    clause="FWD-1",
    effect="outputs keep the mean of their channel, in units of its deviation",
)
class MeanNotSubtracted(PlainLayer):
    """The batch is divided by its deviation and not centred."""

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Normalise by a mean of zero in training."""
        saved = super().normalisers(x, mask, training)
        return replace(saved, mean=saved.mean * self.constant(0.0)) if saved.mode == "training" else saved


@deviation(
    "variance-about-running-mean",
    clause="FWD-1",
    effect="the first batches of training come out too small",
)
class VarianceAboutRunningMean(PlainLayer):
    """The variance of the batch is taken about the running mean."""

    def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
        """Take the variance about the running mean."""
        return super().variance_of(rows, self.column(self.running_mean), counted)


@deviation(
    "training-uses-moved-statistics",
    clause="FWD-1",
    effect="training looks smoother than it should, and gradients do not belong to its outputs",
)
class TrainingUsesMovedStatistics(PlainLayer):
    """Training normalises by the running statistics that it has just moved."""

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Normalise by the running statistics in training."""
        saved = super().normalisers(x, mask, training)
        if saved.mode == "inference":
            return saved
        inverse = self.normaliser(self.column(self.running_var), "training")
        return replace(saved, mean=self.column(self.running_mean), inverse=inverse)


def all_the_same(name: str, sentence: str, effect: str, value: float) -> None:
    """Register a layer whose every output is one number."""

    class Same(PlainLayer):
        def output(self, rows: Array, shape: tuple[int, ...], name: str) -> Array:
            """Give that number everywhere."""
            return super().output(rows * self.constant(0.0) + self.constant(value), shape, name)

    Same.__doc__ = sentence
    deviation(name, clause="FWD-1", effect=effect)(Same)


all_the_same("all-zeros", "Every y and every dx is zero.", "nothing is computed at all", 0.0)
all_the_same("all-ones", "Every y and every dx is one.", "nothing is computed at all", 1.0)


@deviation("gives-its-input", clause="FWD-1", effect="the layer is not there")
class GivesItsInput(PlainLayer):
    """y is x."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Run the forward, and give x."""
        super().forward_masked(x, mask, training)
        return x.copy()
