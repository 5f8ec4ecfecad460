"""Layers over modules of `flax.linen`, called eagerly and compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from bn_adapters.flax_calls import masked, mode, options
from bn_adapters.jax_functions import Apply, FunctionalLayer, Functions, jax_copy
from bn_adapters.jax_shards import AXIS, LayerOnDevices, ShardedLayer, over_devices, over_shards
from bn_conformance.adapter import Array, LayerConfig, RunningStatistics


def linen_batch_norm(config: LayerConfig) -> Any:
    """A `flax.linen.BatchNorm`."""
    import flax.linen

    return flax.linen.BatchNorm(**options(config))


def slow_linen_batch_norm(config: LayerConfig) -> Any:
    """A `flax.linen.BatchNorm` that computes the variance in two passes."""
    import flax.linen

    return flax.linen.BatchNorm(use_fast_variance=False, **options(config))


def synchronised_linen_batch_norm(config: LayerConfig) -> Any:
    """A `flax.linen.BatchNorm` that takes its means over the shards of a named axis, too."""
    import flax.linen

    return flax.linen.BatchNorm(axis_name=AXIS, **options(config))


@cache
def _linen(
    config: LayerConfig,
    compiled: bool,
    make: Callable[[LayerConfig], Any] = linen_batch_norm,
    argument: str = "use_running_average",
    mapped: Callable[[Apply], Apply] = lambda apply: apply,
) -> Functions:
    """The collection `params` as the parameters, and all others as the statistics; `mapped` changes what is called."""
    import jax
    import jax.numpy as jnp

    module = make(config)

    def apply(parameters: Any, statistics: Any, x: Any, mask: Any, training: bool) -> tuple[Any, Any]:
        variables, arguments = {**_params(parameters), **statistics}, mode(argument, training) | masked(mask)
        if not training:
            return module.apply(variables, x, **arguments), statistics
        y, updated = module.apply(variables, x, **arguments, mutable=list(statistics))
        return y, {**statistics, **updated}

    shape = [config.num_channels if axis == config.channel_axis else 1 for axis in range(config.rank)]
    # Compiled, so that what initialisation computes of y is dropped.
    initialise = jax.jit(lambda key: module.init(key, jnp.zeros(shape, config.dtype), **mode(argument, True)))
    statistics = dict(initialise(jax.random.key(0)))
    return Functions.of(mapped(apply), dict(statistics.pop("params", {})), statistics, compiled)


def _params(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The collection of the parameters by its name; modules without parameters have no such collection."""
    return {"params": parameters} if parameters else {}


class LinenLayer(FunctionalLayer):
    """A linen module with params scale and bias and batch_stats mean and var, behind the contract.

    `module` is the function of the configuration that makes it, and the argument that says the mode (`mode`).
    """

    names = ("scale", "bias")
    collection, statistic_names = "batch_stats", ("mean", "var")

    def __init__(self, config: LayerConfig, compiled: bool, *module: Any) -> None:
        super().__init__(config, _linen(config, compiled, *module))

    def running_statistics(self) -> RunningStatistics:
        statistics = self.statistics[self.collection]
        return RunningStatistics(*(np.array(statistics[name]).reshape(-1) for name in self.statistic_names))

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        import jax.numpy as jnp

        # The dtype that training gives them, which a checkpoint holds: the first step turns float32 into float64.
        dtype = jnp.promote_types(self.config.dtype, jnp.float32)
        statistics = dict(self.statistics[self.collection])
        for name, vector in zip(self.statistic_names, (mean, variance), strict=True):
            statistics[name] = jax_copy(vector, dtype).reshape(statistics[name].shape)
        self.statistics = {**self.statistics, self.collection: statistics}

    def state(self) -> Mapping[str, Array]:
        from flax import serialization, traverse_util

        variables = {**_params(self.parameters), **self.statistics}
        flat = traverse_util.flatten_dict(serialization.to_state_dict(variables), sep="/")
        return {name: np.array(value) for name, value in flat.items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        from flax import serialization, traverse_util

        nested = traverse_util.unflatten_dict({name: jax_copy(value) for name, value in state.items()}, sep="/")
        variables = serialization.from_state_dict({**_params(self.parameters), **self.statistics}, nested)
        self.parameters = variables.pop("params", {})
        self.statistics = variables


class SynchronisedLinenLayer(ShardedLayer, LinenLayer):
    """A linen module on shards, compiled."""

    def __init__(self, config: LayerConfig) -> None:
        super().__init__(config, True, synchronised_linen_batch_norm, "use_running_average", over_shards)


class LinenLayerOnDevices(LayerOnDevices, LinenLayer):
    """A linen module on shards of a device each, compiled."""

    def __init__(self, config: LayerConfig) -> None:
        super().__init__(config, True, synchronised_linen_batch_norm, "use_running_average", over_devices)
