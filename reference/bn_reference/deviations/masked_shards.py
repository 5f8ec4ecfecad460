"""Deviations of synchronised statistics with masks. Without shards, or with masks that count everything, none acts."""

from __future__ import annotations

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.deviations.shards import OfShards
from bn_reference.layer.first_order import Array, Saved


@deviation(
    "masked-shards-not-weighed",
    clause="SYNC-7",
    effect="the padding that another replica has moves all statistics",
    link="https://github.com/google/flax/issues/2417",
)
class MaskedShardsNotWeighed(OfShards):
    """With masks, mean and variance are plain means over the shards, however many positions count; NaN where none."""

    def mean_of(self, rows: Array, counted: Array) -> Array:
        """Average the masked means of shards, each with the same weight."""
        if self._weighs(counted):
            return super().mean_of(rows, counted)
        return self._plain(rows, counted)

    def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
        """Average the masked squares of shards about the mean of all, each shard with the same weight."""
        if self._weighs(counted):
            return super().variance_of(rows, mean, counted)
        return self._plain((rows - mean) ** 2, counted)

    def mean_term(self, dy: Array, saved: Saved) -> Array:
        """The derivative of that mean: a value has the weight that its shard gives it."""
        if self._weighs(saved.counted):
            return super().mean_term(dy, saved)
        return np.asarray(self.total(dy, "dbeta") * self._weights(dy, saved.counted))

    def variance_term(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """The derivative of that variance."""
        if self._weighs(saved.counted):
            return super().variance_term(dy, normalised, saved)
        return np.asarray(normalised * self.total(dy * normalised, "dgamma") * self._weights(dy, saved.counted))

    def _weighs(self, counted: Array) -> bool:
        """Whether this is a call without shards, or without a mask that leaves something out."""
        return not self.sizes or bool(counted.all())

    def _plain(self, rows: Array, counted: Array) -> Array:
        means = self.own_means(rows, counted)
        means[:, np.logical_not(self.has_counted(rows, counted))] = self.constant(np.nan)
        return np.asarray(means.mean(axis=1, keepdims=True))

    def _weights(self, rows: Array, counted: Array) -> Array:
        """The weight of each value: a row."""
        parts = self.shard_columns(rows)
        counts = [max(float(counted[:, part].sum()), 1.0) for part in parts]
        return self.spread(rows, np.array([[self.constant(1.0 / (len(parts) * count)) for count in counts]]))
