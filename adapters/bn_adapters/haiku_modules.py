"""`haiku.BatchNorm` under `jax.jit`.

Its running statistics are zero-debiased averages (`hk.ExponentialMovingAverage`): a state holds the hidden average,
the number of steps and the debiased average, which is what inference uses and what this adapter reads and sets. A
fresh state's average is that of the batch which `init` was given: zeros here, hence mean 0 and variance 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import numpy as np

from bn_adapters.haiku_code import HaikuCode, HaikuCodeOnDevices, SynchronisedHaikuCode
from bn_adapters.jax_functions import DEVICES_ENVIRONMENT, JAX_ENVIRONMENT, Apply, FunctionalLayer, Functions, jax_copy
from bn_adapters.jax_shards import AXIS, LayerOnDevices, ShardedLayer, over_devices, over_shards
from bn_conformance.adapter import (
    Adapter,
    Array,
    Capabilities,
    Convention,
    Layer,
    LayerConfig,
    RunningStatistics,
)
from bn_conformance.layer_code import LayerCode

MODULE = "batch_norm"
AVERAGES = (f"{MODULE}/~/mean_ema", f"{MODULE}/~/var_ema")
DATA_FORMATS = {"first": "NC...", "last": "N...C"}


@dataclass(frozen=True)
class _Variant:
    """What a compiled function of haiku.BatchNorm depends on; eps and decay_rate are arguments of it."""

    num_channels: int
    rank: int
    channel_axis: int
    layout: str
    dtype: str
    gamma: bool
    beta: bool
    default_eps: bool
    over: Callable[[Apply], Apply] | None = None
    """What maps a function of a shard over all shards; None for a layer without."""


@cache
def _functions(variant: _Variant) -> Functions:
    import haiku
    import jax
    import jax.numpy as jnp

    @haiku.without_apply_rng
    @haiku.transform_with_state
    def layer(x: Any, training: bool, numbers: Mapping[str, Any], axis: str | None = None) -> Any:
        module = haiku.BatchNorm(
            create_scale=variant.gamma,
            create_offset=variant.beta,
            data_format=DATA_FORMATS[variant.layout],
            cross_replica_axis=axis,
            **numbers,
        )
        return module(x, training)

    axis = AXIS if variant.over else None

    def apply(parameters: Any, statistics: Any, x: Any, mask: Any, training: bool) -> tuple[Any, Any]:
        held = {MODULE: parameters} if parameters else {}
        y, after = layer.apply(held, statistics["averages"], x, training, statistics["numbers"], axis)
        return y, {**statistics, "averages": after}

    shape = [variant.num_channels if axis == variant.channel_axis else 2 for axis in range(variant.rank)]
    numbers = {"decay_rate": 0.5}
    parameters, averages = jax.jit(lambda: layer.init(None, jnp.zeros(shape, variant.dtype), True, numbers))()
    called = variant.over(apply) if variant.over else apply
    return Functions.of(called, dict(parameters.get(MODULE, {})), {"averages": averages}, compiled=True)


class _HaikuLayer(FunctionalLayer):
    names = ("scale", "offset")
    over: ClassVar[tuple[Callable[[Apply], Apply], ...]] = ()

    def __init__(self, config: LayerConfig) -> None:
        variant = _Variant(
            num_channels=config.num_channels,
            rank=config.rank,
            channel_axis=config.channel_axis,
            layout=config.layout,
            dtype=config.dtype,
            gamma=config.gamma,
            beta=config.beta,
            default_eps=config.eps is None,
            over=next(iter(self.over), None),
        )
        super().__init__(config, _functions(variant))
        # Numbers in float64, as Python has them: haiku rounds them to the dtype of the statistics.
        numbers = {"decay_rate": jax_copy(np.array(config.keep, np.float64))}
        if config.eps is not None:
            numbers["eps"] = jax_copy(np.array(config.eps, np.float64))
        self.statistics = {**self.statistics, "numbers": numbers}

    @property
    def _averages(self) -> Mapping[str, Any]:
        averages: Mapping[str, Any] = self.statistics["averages"]
        return averages

    def running_statistics(self) -> RunningStatistics:
        mean, variance = (np.array(self._averages[name]["average"]).reshape(-1) for name in AVERAGES)
        return RunningStatistics(mean, variance)

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        given = dict(zip(AVERAGES, (mean, variance), strict=True))
        averages = {name: self._with_average(held, given[name]) for name, held in self._averages.items()}
        self.statistics = {**self.statistics, "averages": averages}

    def _with_average(self, held: Mapping[str, Any], average: Array) -> dict[str, Any]:
        """A state whose debiased average is the given one."""
        new = jax_copy(average.reshape(held["average"].shape), held["average"].dtype)
        weight = 1.0 - float(self.config.keep or 0.0) ** int(held["counter"])
        return {**held, "average": new, "hidden": (new * weight).astype(new.dtype)}

    def state(self) -> Mapping[str, Array]:
        state = {f"{module}/{name}": value for module, held in self._averages.items() for name, value in held.items()}
        state |= {f"{MODULE}/{name}": value for name, value in self.parameters.items()}
        return {name: np.array(value) for name, value in state.items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        self.parameters = {name: jax_copy(state[f"{MODULE}/{name}"]) for name in self.parameters}
        averages = {
            module: {name: jax_copy(state[f"{module}/{name}"]) for name in held}
            for module, held in self._averages.items()
        }
        self.statistics = {**self.statistics, "averages": averages}


class _SynchronisedHaikuLayer(ShardedLayer, _HaikuLayer):
    over = (over_shards,)


class _HaikuLayerOnDevices(LayerOnDevices, _HaikuLayer):
    over = (over_devices,)


class HaikuBatchNorm(Adapter):
    """`haiku.BatchNorm` under `jax.jit`, functional, with `create_scale` and `create_offset` as configured."""

    name = "haiku"
    framework = "jax"
    environment = JAX_ENVIRONMENT
    requires = ("jax", "haiku")
    install = "pip install 'bnconform[haiku]'"
    distributions = ("dm-haiku", "jax", "jaxlib")
    # haiku/_src/batch_norm.py: the variance is E[x^2] - E[x]^2, biased; decay_rate has no default.
    # haiku/_src/moving_averages.py: zero_debias=True, and the average starts at 0.
    convention = Convention(
        running_variance="biased",
        initial_running_variance=0.0,
        momentum_weighs="old",
        default_momentum=None,
        default_eps=1e-5,
        debiasing="zero-debias",
    )
    capabilities = Capabilities(
        layouts=frozenset({"first", "last"}),
        affine=frozenset({"both", "none", "gamma", "beta"}),
        freeze=True,
        compiles=True,
        second_order=frozenset({"training", "inference"}),
    )

    def build(self, config: LayerConfig) -> Layer:
        return _HaikuLayer(config)

    def code(self, config: LayerConfig) -> LayerCode | None:
        return HaikuCode(config)

    def supports(self, config: LayerConfig) -> str | None:
        if config.momentum is None:
            return "haiku.BatchNorm has no default decay_rate"
        if config.momentum == 0.0:
            return (
                "the decay of hk.ExponentialMovingAverage must be in [0, 1): weight 0 of the new statistic is outside"
            )
        return None


class HaikuSynchronised(HaikuBatchNorm):
    """`haiku.BatchNorm(cross_replica_axis=...)` under `jax.jit(jax.vmap(..., axis_name=...))`."""

    name = "haiku[sync]"
    group = "more"
    capabilities = replace(HaikuBatchNorm.capabilities, second_order=frozenset(), shards=frozenset({"equal"}))

    def build(self, config: LayerConfig) -> Layer:
        return _SynchronisedHaikuLayer(config)

    def code(self, config: LayerConfig) -> LayerCode | None:
        return SynchronisedHaikuCode(config)


class HaikuOnDevices(HaikuSynchronised):
    """`haiku.BatchNorm(cross_replica_axis=...)` under `jax.jit(jax.shard_map(...))`, a CPU device for each shard."""

    name = "haiku[sync,devices]"
    environment = DEVICES_ENVIRONMENT

    def build(self, config: LayerConfig) -> Layer:
        return _HaikuLayerOnDevices(config)

    def code(self, config: LayerConfig) -> LayerCode | None:
        return HaikuCodeOnDevices(config)
