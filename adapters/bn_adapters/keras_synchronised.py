"""Keras 3 on TensorFlow with synchronised statistics: a replica on each logical CPU device of `tf.distribute`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np

from bn_adapters.keras_backends import KerasLayer, load_keras
from bn_adapters.keras_code import KerasSynchronisedCode
from bn_adapters.keras_layers import KerasTensorflow
from bn_adapters.recorded import recorded
from bn_adapters.tensorflow_tapes import tensorflow
from bn_conformance.adapter import (
    Array,
    Gradients,
    Layer,
    LayerConfig,
    RunningStatistics,
    SecondOrder,
    ShardGradients,
)

REPLICAS = 8
"""Logical devices of the process."""


@cache
def strategy_of(count: int) -> Any:
    """A strategy with a replica on each of so many logical CPU devices.

    Collective operations, its default, refuse a device that was in a group of another size before.
    """
    distribute = tensorflow().distribute
    devices, reduction = [f"CPU:{place}" for place in range(count)], distribute.ReductionToOneDevice()
    return distribute.MirroredStrategy(devices, cross_device_ops=reduction)


@cache
def synchronised_keras() -> Any:
    """The module keras on TensorFlow, which has so many logical CPU devices."""
    config = tensorflow().config
    (processor,) = config.list_physical_devices("CPU")
    config.set_logical_device_configuration(processor, [config.LogicalDeviceConfiguration()] * REPLICAS)
    return load_keras("tensorflow")


class _Call(NamedTuple):
    """A forward: tensors of each replica, and the values of the variables before it."""

    shards: Any
    training: bool
    masks: Any
    variables: list[Array]


class SynchronisedKerasLayer(KerasLayer):
    """A layer of as many replicas as the latest call had shards; for another number its weights go to a new layer.

    A step and its gradients must be one run of the strategy. So a backward runs the forward again, from the variables
    that it had, and puts the variables back.
    """

    more: ClassVar[Mapping[str, Any]] = MappingProxyType({"synchronized": True})
    latest: _Call | None = None

    def __init__(self, keras: Any, config: LayerConfig) -> None:
        self.config = config
        self._replicate(keras, 1)

    def forward(self, x: Array, training: bool, mask: Array | None = None) -> Array:
        return self._forward([x], training, None if mask is None else [mask])[0]

    def forward_shards(
        self, shards: Sequence[Array], training: bool, masks: Sequence[Array] | None = None
    ) -> Sequence[Array]:
        squeezed = None if masks is None else [mask.squeeze(self.channel_axis) for mask in masks]
        return self._forward(shards, training, squeezed)

    def _forward(self, shards: Sequence[Array], training: bool, masks: Sequence[Array] | None) -> list[Array]:
        if len(shards) != self.strategy.num_replicas_in_sync:
            values, trainable = self._values(), self.layer.trainable
            self._replicate(self.keras, len(shards))
            self._restore(values)
            self.layer.trainable = trainable
        self.latest = call = _Call(self._spread(shards), training, self._spread(masks), self._values())
        return self._of_each(self._run(call, None))

    def backward(self, dy: Array) -> Gradients:
        (dx,), dgamma, dbeta = self.backward_shards([dy])
        return Gradients(dx, dgamma, dbeta)

    def backward_shards(self, dys: Sequence[Array]) -> ShardGradients:
        call, now = recorded(self.latest), self._values()
        self._restore(call.variables)
        dx, *found = self._run(call, self._spread(dys))
        self._restore(now)
        summed = [self._array(self.strategy.reduce("SUM", part, axis=None)) for part in found]
        return ShardGradients(self._of_each(dx), *self.placed(summed))

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        raise NotImplementedError("a gradient of a gradient would be another run of the strategy")

    def shard_statistics(self) -> Sequence[RunningStatistics]:
        mean, variance = (self._of_each(variable.value) for variable in self.statistics)
        return [RunningStatistics(*pair) for pair in zip(mean, variance, strict=True)]

    def _replicate(self, keras: Any, count: int) -> None:
        self.strategy = strategy_of(count)
        with self.strategy.scope():
            super().__init__(keras, self.config)

    def _run(self, call: _Call, dys: Any) -> Any:
        """y of each replica; with dys the gradients of x, then those of the parameters, of each."""
        tf = tensorflow()

        def step(x: Any, dy: Any, mask: Any) -> Any:
            masked = {} if mask is None else {"mask": mask}
            if dy is None:
                return self.layer(x, training=call.training, **masked)
            sources = [x, *(variable.value for variable in self.parameters)]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(sources)
                y = self.layer(x, training=call.training, **masked)
            return tape.gradient(y, sources, output_gradients=dy)

        return self.strategy.run(step, args=(call.shards, dys, call.masks))

    def _spread(self, parts: Sequence[Array] | None) -> Any:
        """A part for each replica."""
        if parts is None:
            return None
        tensors = [tensorflow().constant(part) for part in parts]
        give = self.strategy.experimental_distribute_values_from_function
        return give(lambda context: tensors[context.replica_id_in_sync_group])

    def _of_each(self, value: Any) -> list[Array]:
        return [self._array(part) for part in self.strategy.experimental_local_results(value)]

    def _array(self, value: Any) -> Array:
        return np.array(value.numpy())

    def _values(self) -> list[Array]:
        return [self._of_each(variable.value)[0] for variable in (*self.parameters, *self.statistics)]

    def _restore(self, values: Sequence[Array]) -> None:
        for variable, value in zip((*self.parameters, *self.statistics), values, strict=True):
            variable.assign(value)

    def running_statistics(self) -> RunningStatistics:
        return self.shard_statistics()[0]


class KerasSynchronised(KerasTensorflow):
    """`keras.layers.BatchNormalization(synchronized=True)` under `tf.distribute.MirroredStrategy`, eager."""

    name = "keras[tensorflow,sync]"
    group = "more"
    framework = "keras-tensorflow-sync"
    capabilities = replace(
        KerasTensorflow.capabilities,
        second_order=frozenset(),
        shards=frozenset({"equal", "unequal", "empty", "masked"}),
    )

    def build(self, config: LayerConfig) -> Layer:
        return SynchronisedKerasLayer(synchronised_keras(), config)

    def code(self, config: LayerConfig) -> KerasSynchronisedCode:
        return KerasSynchronisedCode(config)
