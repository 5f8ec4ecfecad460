"""Synchronised statistics in JAX: shards lie on a named axis, over which modules take their means.

`jax.vmap` maps the axis on one device, and `jax.shard_map` maps it over several, where the means are collective
operations. All shards of a named axis have one shape, so unequal ones cannot be expressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bn_adapters.jax_code import AXIS as AXIS
from bn_adapters.jax_functions import Apply, FunctionalLayer, jax_copy
from bn_conformance.adapter import Array, Gradients, RunningStatistics, ShardGradients


def over_shards(apply: Apply) -> Apply:
    """The function of stacked shards: parameters and statistics go to each; y and the statistics come back stacked."""

    def mapped(parameters: Any, statistics: Any, shards: Any, mask: Any, training: bool) -> tuple[Any, Any]:
        import jax

        def one(x: Any, counted: Any) -> tuple[Any, Any]:
            return apply(parameters, statistics, x, counted, training)

        found: tuple[Any, Any] = jax.vmap(one, axis_name=AXIS)(shards, mask)
        return found

    return mapped


def over_devices(apply: Apply) -> Apply:
    """As `over_shards`, with each shard on a device of its own; parameters and statistics are on all of them."""

    def mapped(parameters: Any, statistics: Any, shards: Any, mask: Any, training: bool) -> tuple[Any, Any]:
        import jax
        from jax.sharding import Mesh, PartitionSpec

        def one(parameters: Any, statistics: Any, x: Any, counted: Any) -> Any:
            found = apply(parameters, statistics, x[0], None if counted is None else counted[0], training)
            return jax.tree.map(lambda leaf: leaf[None], found)

        mesh = Mesh(np.array(jax.devices()[: len(shards)]), (AXIS,))
        everywhere, split = PartitionSpec(), PartitionSpec(AXIS)
        specs = everywhere, everywhere, split, split
        called = jax.shard_map(one, mesh=mesh, in_specs=specs, out_specs=split)
        found: tuple[Any, Any] = called(parameters, statistics, shards, mask)
        return found

    return mapped


class ShardedLayer(FunctionalLayer):
    """A layer over functions of stacked shards; a call without shards is one of a single shard."""

    replicas: Any = None
    """The statistics of the replicas, stacked, as the latest call left them."""

    def forward(self, x: Array, training: bool) -> Array:
        return self.forward_shards([x], training)[0]

    def forward_masked(self, x: Array, mask: Array, training: bool) -> Array:
        return self.forward_shards([x], training, [mask])[0]

    def forward_shards(
        self, shards: Sequence[Array], training: bool, masks: Sequence[Array] | None = None
    ) -> Sequence[Array]:
        mask = None if masks is None else jax_copy(np.stack(masks))
        inputs = (self.parameters, self.statistics, jax_copy(np.stack(shards)), mask, training and not self.frozen)
        self.latest = inputs  # of another thread, perhaps, before the next line begins
        ys, self.replicas = self.functions.forward(*inputs)
        self.statistics = self._replica(0)
        return list(np.asarray(ys))

    def backward(self, dy: Array) -> Gradients:
        (dx,), dgamma, dbeta = self.backward_shards([dy])
        return Gradients(dx, dgamma, dbeta)

    def backward_shards(self, dys: Sequence[Array]) -> ShardGradients:
        *inputs, training = self._inputs()
        found, dxs = self.functions.pullback(*inputs, jax_copy(np.stack(dys)), training)
        return ShardGradients(list(np.asarray(dxs)), *(self._vector(found, name) for name in self.names))

    def shard_statistics(self) -> Sequence[RunningStatistics]:
        import jax

        count = jax.tree.leaves(self.replicas)[0].shape[0]
        return [self.statistics_in(self._replica(place)) for place in range(count)]

    def _replica(self, place: int) -> Any:
        import jax

        return jax.tree.map(lambda leaf: leaf[place], self.replicas)

    def statistics_in(self, tree: Any) -> RunningStatistics:
        """The running statistics that a tree of statistics holds."""
        kept, self.statistics = self.statistics, tree
        try:
            return self.running_statistics()
        finally:
            self.statistics = kept


class LayerOnDevices(ShardedLayer):
    """A layer whose shards lie on a device each."""

    def _replica(self, place: int) -> Any:
        import jax

        # Of no device, since the next step may run on more or on fewer.
        return jax.tree.map(lambda leaf: jax_copy(np.asarray(leaf)[place]), self.replicas)
