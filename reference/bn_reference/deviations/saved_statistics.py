"""Deviations of what a forward saves for its backward, and of how the backward takes it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.deviations.conditional import of_16_bits
from bn_reference.layer.first_order import Array, Saved
from bn_reference.layer.layer import PlainLayer

_EFFECT = "y is right and every gradient is wrong; a backward of another library, given these statistics, is wrong too"
_BACKWARD = "every gradient is wrong, from right statistics too"


class _Kept(PlainLayer):
    """A layer that saves something else than it normalised by."""

    def kept(self, saved: Saved) -> Saved:
        """In training alone: an inference saves nothing of its batch."""
        own = super().kept(saved)
        return own if own.mode == "inference" else self.other(own)

    def other(self, saved: Saved) -> Saved:
        """What is saved instead."""
        return saved

    def variance(self, saved: Saved) -> Array:
        """The biased variance of the batch, a column."""
        return self.variance_of(saved.rows, saved.mean, saved.counted)


@deviation("saved-inverse-without-eps", clause="SAVED-2", effect=_EFFECT)
class SavedInverseWithoutEps(_Kept):
    """The saved inverse deviation is 1 / sqrt(variance), without eps; y has eps."""

    def other(self, saved: Saved) -> Saved:
        """Without eps."""
        return replace(saved, inverse=np.asarray(1 / np.sqrt(self.variance(saved))))


@deviation("saved-inverse-unbiased", clause="SAVED-2", effect=_EFFECT)
class SavedInverseUnbiased(_Kept):
    """The saved inverse deviation is that of the unbiased variance; y is normalised by the biased one."""

    def other(self, saved: Saved) -> Saved:
        """With n - 1."""
        count = int(saved.counted.sum())
        factor = self.constant(float(count)) / self.constant(float(max(count - 1, 1)))
        return replace(saved, inverse=np.asarray(1 / np.sqrt(self.variance(saved) * factor + self.eps)))


@deviation("saved-variance-for-inverse", clause="SAVED-2", effect=_EFFECT)
class SavedVarianceForInverse(_Kept):
    """The variance of the batch is saved where its inverse deviation is due."""

    def other(self, saved: Saved) -> Saved:
        """The variance."""
        return replace(saved, inverse=self.variance(saved))


@deviation("saved-deviation-for-inverse", clause="SAVED-2", effect=_EFFECT)
class SavedDeviationForInverse(_Kept):
    """The deviation sqrt(variance + eps) is saved where its inverse is due."""

    def other(self, saved: Saved) -> Saved:
        """Not inverted."""
        return replace(saved, inverse=np.asarray(1 / saved.inverse))


@deviation("saved-statistics-swapped", clause="SAVED-1", effect=_EFFECT)
class SavedStatisticsSwapped(_Kept):
    """The saved mean and the saved inverse deviation have changed places."""

    def other(self, saved: Saved) -> Saved:
        """Each in the place of the other."""
        return replace(saved, mean=saved.inverse, inverse=saved.mean)


@deviation("saved-mean-is-running-mean", clause="SAVED-1", effect=_EFFECT)
class SavedMeanIsRunningMean(_Kept):
    """The running mean is saved where the mean of the batch is due."""

    def other(self, saved: Saved) -> Saved:
        """The running mean, as it is when the forward is over."""
        return replace(saved, mean=self.column(self.running_mean))


@deviation(
    "16-bit-saved-variance",
    clause="SAVED-2",
    effect="a backward of another library, given these, is wrong",
    numeric=False,
)
class SixteenBitSavedVariance(PlainLayer):
    """For 16-bit data alone, the variance is given back where the inverse deviation is due; the gradients are right."""

    def saved_statistics(self) -> tuple[Array, Array]:
        """The variance with eps in the second place."""
        mean, inverse = super().saved_statistics()
        if not of_16_bits(self):
            return mean, inverse
        return mean, self.deliver(1 / self.wide(inverse) ** 2, self.parameters)


class _Taken(PlainLayer):
    """A layer whose backward takes the saved inverse deviation for something else."""

    def taken(self, saved: Saved) -> Saved:
        """In training alone."""
        own = super().taken(saved)
        return own if own.mode == "inference" else replace(own, inverse=self.misread(own.inverse))

    def misread(self, inverse: Array) -> Array:
        """What is computed of it."""
        return inverse


@deviation("backward-takes-inverse-for-deviation", clause="SAVED-3", effect=_BACKWARD)
class BackwardTakesInverseForDeviation(_Taken):
    """The backward takes the saved inverse deviation for a deviation: it divides by it."""

    def misread(self, inverse: Array) -> Array:
        """Inverted once more."""
        return np.asarray(1 / inverse)


@deviation("backward-adds-eps-to-inverse", clause="SAVED-3", effect=_BACKWARD)
class BackwardAddsEpsToInverse(_Taken):
    """The backward adds eps to the saved inverse deviation, which holds it already."""

    def misread(self, inverse: Array) -> Array:
        """eps twice, once in the wrong place."""
        return np.asarray(inverse + self.eps)
