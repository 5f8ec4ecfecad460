"""Deviations of masked statistics that only unusual data show: huge padding, and one counted position."""

from __future__ import annotations

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer


@deviation("masked-sum-by-difference", clause="MASK-6", effect="huge padding takes every digit of the statistics")
class MaskedSumByDifference(PlainLayer):
    """The sum over the counted positions is the sum over all minus the sum over the others."""

    def mean_of(self, rows: Array, counted: Array) -> Array:
        """Subtract the sum over the hidden positions from the sum over all."""
        if counted.all():
            return super().mean_of(rows, counted)
        others = np.where(counted, self.constant(0.0), rows)
        difference = self.total(rows, "mean") - self.total(others, "mean")
        return np.asarray(difference / self.count(counted))


@deviation("one-counted-spoils-statistics", clause="EDGE-1", effect="a model is NaN in use after one padded batch")
class OneCountedSpoilsStatistics(PlainLayer):
    """With one counted position the unbiased running variance is 0 / 0."""

    def check_count(self, count: int) -> None:
        """Refuse one value a channel only without a mask."""
        if self.batch_values() == count:
            super().check_count(count)

    def estimate(self, variance: Array, count: int) -> Array:
        """Divide by count - 1 = 0 where one position counts."""
        if count == 1:
            return np.full_like(variance, np.nan)
        return super().estimate(variance, count)
