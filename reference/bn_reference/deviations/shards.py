"""Deviations of synchronised statistics: what replicas get wrong that share a batch. Without shards none acts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer
from bn_reference.layer.shards import GradientsOfShards


class OfShards(PlainLayer):
    """What the deviations of this module have in common."""

    def of_each(self, rows: Array, column: Any) -> Array:
        """Columns (C, 1) of each shard that has values, side by side; `column` makes one of the shard's columns."""
        return np.concatenate([column(part) for part in self.shard_columns(rows)], axis=1)

    def own_means(self, rows: Array, counted: Array) -> Array:
        """The mean of what counts in each shard that has values, side by side; 0 where nothing counts."""
        kept = np.where(counted, rows, self.constant(0.0))

        def mean(part: slice) -> Array:
            count = max(float(counted[:, part].sum()), 1.0)
            return np.asarray(kept[:, part].sum(axis=1, keepdims=True) / self.constant(count))

        return self.of_each(rows, mean)

    def has_counted(self, rows: Array, counted: Array) -> list[bool]:
        """Whether anything counts in each shard that has values."""
        return [bool(counted[:, part].any()) for part in self.shard_columns(rows)]

    def spread(self, rows: Array, columns: Array) -> Array:
        """Columns of shards, (C, k), as rows in which each stands in the columns of its shard."""
        return np.repeat(columns, [part.stop - part.start for part in self.shard_columns(rows)], axis=1)


@deviation("mean-of-shard-means", clause="SYNC-1", effect="the last, smaller shard of an epoch has too much weight")
class MeanOfShardMeans(OfShards):
    """The mean is the plain mean of the means of shards, however many values each has."""

    def mean_of(self, rows: Array, counted: Array) -> Array:
        """Average the means of shards, each with the same weight."""
        if not self.sizes:
            return super().mean_of(rows, counted)
        means = self.own_means(rows, counted)[:, self.has_counted(rows, counted)]
        return np.asarray(means.mean(axis=1, keepdims=True))


@deviation("variance-of-shards-averaged", clause="SYNC-1", effect="y is too large where shards differ in their means")
class VarianceOfShardsAveraged(OfShards):
    """The variance is the weighted mean of the variances of shards: what their means differ by is left out."""

    def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
        """Average squares about the mean of the own shard."""
        if not self.sizes:
            return super().variance_of(rows, mean, counted)
        own = self.own_means(rows, counted)
        return super().variance_of(rows, self.spread(rows, own), counted)


@deviation("shards-by-themselves", clause="SYNC-1", effect="small shards are as noisy as without synchronisation")
class ShardsByThemselves(OfShards):
    """Each shard is normalised by its own statistics, as by a layer that is not synchronised."""

    def mean_of(self, rows: Array, counted: Array) -> Array:
        """The mean of each shard, in the columns of that shard."""
        if not self.sizes:
            return super().mean_of(rows, counted)
        return self.spread(rows, self.own_means(rows, counted))

    def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
        """The variance of each shard, in the columns of that shard."""
        if not self.sizes:
            return super().variance_of(rows, mean, counted)
        return self.spread(rows, self.own_means((rows - mean) ** 2, counted))


@deviation(
    "sizes-of-shards-kept", clause="SYNC-1", effect="the last batch of an epoch is normalised by wrong statistics"
)
class SizesOfShardsKept(OfShards):
    """The weights of the shards are those of the first call, whatever sizes come later."""

    first: tuple[int, ...] = ()

    def mean_of(self, rows: Array, counted: Array) -> Array:
        """Weigh the means of shards with the sizes of the first call."""
        if not self.sizes or len(self.shard_columns(rows)) != len(self.sizes):
            return super().mean_of(rows, counted)
        self.first = self.first if len(self.first) == len(self.sizes) else self.sizes
        means = self.own_means(rows, counted)
        weights = np.array([self.constant(size / sum(self.first)) for size in self.first])
        return np.asarray((means * weights).sum(axis=1, keepdims=True))


@deviation(
    "statistics-move-per-shard", clause="SYNC-2", effect="running statistics move faster the more replicas there are"
)
class StatisticsMovePerShard(OfShards):
    """The running statistics move once for each shard instead of once for the batch."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Move again for every other shard."""
        for _ in range(max(sum(size > 0 for size in self.sizes), 1)):
            super().move(mean, variance, count)


@deviation(
    "bessel-of-one-shard",
    clause="SYNC-2",
    effect="the running variance is too large, the more so the more replicas there are",
    requires={"running_variance": "unbiased"},
)
class BesselOfOneShard(OfShards):
    """The unbiased running variance divides by n - 1 of one shard, not of the batch."""

    def estimate(self, variance: Array, count: int) -> Array:
        """Correct with the count of the largest shard."""
        share = max(self.sizes) / sum(self.sizes) if self.sizes else 1.0
        return super().estimate(variance, int(count * share))


@deviation(
    "running-statistics-of-first-shard", clause="SYNC-2", effect="a model in use depends on what one replica saw"
)
class RunningStatisticsOfFirstShard(OfShards):
    """The running statistics take in those of the first shard that has values."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Move by the statistics of one shard."""
        if self.sizes and self.saved_rows is not None:
            rows = self.saved_rows
            mean, variance, count = rows.mean(axis=1), rows.var(axis=1), rows.shape[1]
        super().move(mean, variance, count)

    saved_rows: Array | None = None
    """What counts in the first shard in which something does, of a call on shards."""

    def mean_of(self, rows: Array, counted: Array) -> Array:
        """Keep the rows as well."""
        parts = [rows[:, part][:, counted[0, part]] for part in self.shard_columns(rows)]
        self.saved_rows = next((part for part in parts if part.size), None)
        return super().mean_of(rows, counted)


@deviation(
    "one-replica-moves", clause="SYNC-4", effect="a model that is saved by another replica has untrained statistics"
)
class OneReplicaMoves(PlainLayer):
    """The running statistics move in the first replica alone; the others keep theirs."""

    before: tuple[Array, Array] | None = None

    def forward_shards(
        self, shards: Sequence[Array], training: bool, masks: Sequence[Array] | None = None
    ) -> Sequence[Array]:
        """Keep the statistics from before."""
        self.before = self.running_mean.copy(), self.running_var.copy()
        return super().forward_shards(shards, training, masks)

    def shard_statistics(self) -> Sequence[tuple[Array, Array]]:
        """Give the others the statistics that they had."""
        first, *others = super().shard_statistics()
        return [first, *((self.before or first) for _ in others)]


@deviation("empty-shard-spoils", clause="SYNC-5", effect="all replicas are NaN once one of them runs out of data")
class EmptyShardSpoils(PlainLayer):
    """The mean of a shard without values, 0 / 0, goes into the mean of all."""

    def mean_of(self, rows: Array, counted: Array) -> Array:
        """NaN where a shard is empty."""
        mean = super().mean_of(rows, counted)
        return mean * self.constant(np.nan) if 0 in self.sizes else mean


@deviation("empty-shard-counts", clause="SYNC-5", effect="statistics shrink at the end of an epoch")
class EmptyShardCounts(PlainLayer):
    """A shard without values counts as one value more."""

    def count(self, counted: Array) -> Any:
        """One value more for each empty shard."""
        return super().count(counted) + self.constant(float(self.sizes.count(0)))


@deviation("small-shard-refused", clause="SYNC-6", effect="the last batch of an epoch ends the training", numeric=False)
class SmallShardRefused(PlainLayer):
    """A shard of one value a channel is refused, although the batch has more."""

    def forward_shards(
        self, shards: Sequence[Array], training: bool, masks: Sequence[Array] | None = None
    ) -> Sequence[Array]:
        """Check each shard by itself.

        Raises:
            ValueError: a shard has one value a channel.
        """
        for shard in shards:
            if training and shard.size == self.config.num_channels:
                raise ValueError("x has 1 value a channel; training needs 2 or more")
        return super().forward_shards(shards, training, masks)

    def backward_shards(self, dys: Sequence[Array]) -> GradientsOfShards:
        """As ever."""
        return super().backward_shards(dys)
