"""Shards in plain NumPy: each gives its count, mean and variance, and these are merged (Chan, Golub & LeVeque 1983)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from bn_conformance.adapter import Array, Layer, RunningStatistics, ShardGradients


class GoodShards(Layer):
    """The calls on shards of a layer whose `_forward` asks `merged` for the statistics while there are `sizes`."""

    sizes: tuple[int, ...] = ()
    """Entries of each shard, while a call on shards runs."""
    replicas = 1

    weights: Array | None

    @abstractmethod
    def statistics(self, rows: Array) -> tuple[Array, Array]:
        """Mean and biased variance of rows (C, n)."""

    def merged(self, rows: Array) -> tuple[Array, Array]:
        """Mean and biased variance of all shards, from those of each."""
        parts = self.parts(rows)
        counts = [rows.dtype.type(part.shape[1]) for part in parts]
        return self.merge(counts, [self.statistics(part) for part in parts], np.asarray(counts).sum())

    def parts(self, rows: Array) -> list[Array]:
        """What counts of each shard in which something does."""
        counted = np.ones(rows.shape[1], np.bool_) if self.weights is None else self.weights > 0
        bounds = pairwise(self.ends(rows.shape[1]))
        return [part for begin, end in bounds if (part := rows[:, begin:end][:, counted[begin:end]]).size]

    def merge(
        self, counts: Sequence[np.generic], pairs: Sequence[tuple[Array, Array]], count: np.generic
    ) -> tuple[Array, Array]:
        """What a mistake overrides."""
        mean = sum(own * size for size, (own, _) in zip(counts, pairs, strict=True)) / count
        squares = (size * (own + (shift - mean) ** 2) for size, (shift, own) in zip(counts, pairs, strict=True))
        return np.asarray(mean), np.asarray(sum(squares) / count)

    def ends(self, count: int) -> Array:
        """Where shards begin and end among `count` columns."""
        return np.cumsum([0, *self.sizes]) * (count // max(sum(self.sizes), 1))

    def forward_shards(
        self, shards: Sequence[Array], training: bool, masks: Sequence[Array] | None = None
    ) -> Sequence[Array]:
        self.replicas, self.sizes, x = len(shards), tuple(map(len, shards)), np.concatenate(shards)
        try:
            if masks is None:
                return self._split(self.forward(x, training))
            return self._split(self.forward_masked(x, np.concatenate(masks), training))
        finally:
            self.sizes = ()

    def backward_shards(self, dys: Sequence[Array]) -> ShardGradients:
        self.sizes = tuple(map(len, dys))
        try:
            dx, dgamma, dbeta = self.backward(np.concatenate(dys))
            return ShardGradients(self._split(dx), dgamma, dbeta)
        finally:
            self.sizes = ()

    def shard_statistics(self) -> Sequence[RunningStatistics]:
        return [self.running_statistics() for _ in range(self.replicas)]

    def _split(self, array: Array) -> list[Array]:
        return [array[begin:end].copy() for begin, end in pairwise(np.cumsum([0, *self.sizes]))]
