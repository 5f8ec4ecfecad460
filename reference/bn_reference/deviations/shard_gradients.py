"""Deviations of gradients through synchronised statistics: sums of the backward that leave shards out."""

from __future__ import annotations

from typing import Any

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.deviations.shards import OfShards
from bn_reference.layer.first_order import Array, Saved


@deviation(
    "gradient-terms-per-shard", clause="SYNC-3", effect="training with replicas diverges from training on one device"
)
class GradientTermsPerShard(OfShards):
    """The sums in dx run over the own shard alone: the backward is not synchronised."""

    def mean_term(self, dy: Array, saved: Saved) -> Array:
        """The mean of dy of each shard."""
        if not self.sizes:
            return super().mean_term(dy, saved)
        return self.spread(dy, self.of_each(dy, lambda part: self._own_mean(dy[:, part], saved.counted[:, part])))

    def variance_term(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """The mean of dy times the normalised value of each shard."""
        if not self.sizes:
            return super().variance_term(dy, normalised, saved)
        products = dy * normalised
        means = self.of_each(dy, lambda part: self._own_mean(products[:, part], saved.counted[:, part]))
        return np.asarray(normalised * self.spread(dy, means))

    def _own_mean(self, values: Array, counted: Array) -> Array:
        """The sum of all values of a shard over how many of them count."""
        count = max(float(counted.sum()), 1.0)
        return np.asarray(values.sum(axis=1, keepdims=True) / self.constant(count))


@deviation("gradient-count-of-one-shard", clause="SYNC-3", effect="dx is wrong by a factor in its mean terms")
class GradientCountOfOneShard(OfShards):
    """The sums in dx are those of all shards, divided by the number of values of the largest."""

    def _factor(self) -> Any:
        return self.constant(sum(self.sizes) / max(self.sizes) if self.sizes else 1.0)

    def mean_term(self, dy: Array, saved: Saved) -> Array:
        """Divide by too small a count."""
        return np.asarray(super().mean_term(dy, saved) * self._factor())

    def variance_term(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Divide by too small a count."""
        return np.asarray(super().variance_term(dy, normalised, saved) * self._factor())


@deviation(
    "parameter-gradients-of-first-shard", clause="SYNC-3", effect="parameters learn from one replica's data alone"
)
class ParameterGradientsOfFirstShard(OfShards):
    """dgamma and dbeta are those of the first shard that has values, and are not summed over the others."""

    def _first(self, rows: Array) -> Array:
        return rows[:, self.shard_columns(rows)[0]] if self.sizes else rows

    def dgamma(self, dy: Array, normalised: Array) -> Array:
        """Sum over one shard."""
        return super().dgamma(self._first(dy), self._first(normalised))

    def dbeta(self, dy: Array) -> Array:
        """Sum over one shard."""
        return super().dbeta(self._first(dy))


@deviation(
    "parameter-gradients-averaged",
    clause="SYNC-3",
    effect="parameters learn the more slowly the more replicas there are",
)
class ParameterGradientsAveraged(OfShards):
    """dgamma and dbeta are averaged over the shards, not summed."""

    def dgamma(self, dy: Array, normalised: Array) -> Array:
        """Divide by the number of shards."""
        return np.asarray(super().dgamma(dy, normalised) / self.constant(float(max(len(self.sizes), 1))))

    def dbeta(self, dy: Array) -> Array:
        """Divide by the number of shards."""
        return np.asarray(super().dbeta(dy) / self.constant(float(max(len(self.sizes), 1))))
