"""Deviations of compiled and exported layers: where the definition leaves a choice, theirs is not the original's."""

from __future__ import annotations

import numpy as np

from bn_reference.definition.running import Weights
from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer

_HIDDEN = "a mistake in the data shows in development and not in production"


@deviation("compiled-takes-one-value", clause="JIT-1", effect=_HIDDEN)
class CompiledTakesOneValue(PlainLayer):
    """A check of the original is left out: one value a channel gives y = beta."""

    def check_count(self, count: int) -> None:
        """Refuse an empty batch alone."""
        if count != 1:
            super().check_count(count)


@deviation("compiled-takes-empty-batch", clause="JIT-1", effect=_HIDDEN)
class CompiledTakesEmptyBatch(PlainLayer):
    """A check of the original is left out: an empty batch gives an empty y."""

    def check_count(self, count: int) -> None:
        """Refuse one value a channel alone."""
        if count:
            super().check_count(count)

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Move by batches that have values."""
        if count:
            super().move(mean, variance, count)


@deviation("compiled-drops-product-with-zero", clause="JIT-2", effect="a model that has broken down looks sound")
class CompiledDropsProductWithZero(PlainLayer):
    """0 * NaN is taken for 0: with momentum 0 statistics stay finite where those of the original turn NaN."""

    def blend(self, old: Array, new: Array, weights: Weights) -> Array:
        """Leave out what weighs nothing."""
        if weights.new == 0 and not np.isfinite(new).all():
            return self.store(self.wide(old), self.statistics_dtype)
        return super().blend(old, new, weights)
