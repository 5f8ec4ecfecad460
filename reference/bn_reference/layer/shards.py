"""A batch in shards: what replicas do that train together with synchronised statistics.

The shards are one batch, split along axis 0. The plain layer puts them together and computes as ever; the result is
split again. `shard_columns` says to a deviation which columns of the rows belong to which shard.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from bn_reference.layer.first_order import Array, FirstOrder


class GradientsOfShards(NamedTuple):
    """A dx like each shard of x; dgamma and dbeta of shape (C,), summed over the shards, each None where absent."""

    dx: Sequence[Array]
    dgamma: Array | None
    dbeta: Array | None


class Shards(FirstOrder):
    """The calls on shards.

    Attributes:
        sizes: entries of each shard while a call on shards runs; empty at any other time.
        replicas: how many shards the latest forward of shards had.
    """

    sizes: tuple[int, ...] = ()
    replicas = 0

    def forward_shards(
        self, shards: Sequence[Array], training: bool, masks: Sequence[Array] | None = None
    ) -> Sequence[Array]:
        """y of each shard, normalised by the statistics of all; the running statistics move once.

        Args:
            shards: the parts of x.
            training: whether the statistics of the batch are used.
            masks: of each shard; None for none.
        """
        self.replicas = len(shards)
        x = np.concatenate(shards)
        with self._in_shards(shards):
            if masks is None:
                return self._split(self.forward(x, training))  # type: ignore[attr-defined]
            return self._split(self.forward_masked(x, np.concatenate(masks), training))  # type: ignore[attr-defined]

    def backward_shards(self, dys: Sequence[Array]) -> GradientsOfShards:
        """Gradients of the sum of y * dy over all shards of the latest forward."""
        with self._in_shards(dys):
            dx, dgamma, dbeta = self.backward(np.concatenate(dys))  # type: ignore[attr-defined]
            return GradientsOfShards(self._split(dx), dgamma, dbeta)

    def shard_statistics(self) -> Sequence[tuple[Array, Array]]:
        """Running mean and variance of each replica, copied."""
        return [(self.running_mean.copy(), self.running_var.copy()) for _ in range(self.replicas)]

    def shard_columns(self, rows: Array) -> list[slice]:
        """The columns of rows, (C, n), of each shard that has values; none outside a call on shards."""
        width = rows.shape[1] // max(sum(self.sizes), 1)
        ends = np.cumsum([0, *self.sizes]) * width
        return [slice(begin, end) for begin, end in pairwise(ends) if end > begin]

    @contextmanager
    def _in_shards(self, shards: Sequence[Array]) -> Iterator[None]:
        self.sizes = tuple(len(shard) for shard in shards)
        try:
            yield
        finally:
            self.sizes = ()

    def _split(self, array: Array) -> list[Any]:
        ends = np.cumsum([0, *self.sizes])
        return [np.ascontiguousarray(array[begin:end]) for begin, end in pairwise(ends)]
