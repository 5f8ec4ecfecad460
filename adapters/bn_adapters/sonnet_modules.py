"""Sonnet 2: `snt.BatchNorm` on TensorFlow, eagerly.

It takes the fused kernel where x has rank 4 with channels last, and `tf.nn.moments` elsewhere. The two differ in the
running variance, so that they are two implementations. Its running statistics are zero-debiased averages
(`snt.ExponentialMovingAverage`): inference uses the debiased one, which is what this adapter reads and sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from bn_adapters.sonnet_code import DATA_FORMATS, SonnetCode
from bn_adapters.tensorflow_layers import TapedLayer
from bn_adapters.tensorflow_tapes import TENSORFLOW_DISTRIBUTIONS, TENSORFLOW_ENVIRONMENT, tensorflow
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

DEFAULT_DECAY = 0.999
"""Of `snt.BatchNorm`."""


@cache
def load_sonnet() -> Any:
    """The module sonnet, with TensorFlow on one thread."""
    tensorflow()
    import sonnet

    return sonnet


class _SonnetLayer(TapedLayer):
    """One `snt.BatchNorm`."""

    def __init__(self, config: LayerConfig) -> None:
        options: dict[str, Any] = {"create_scale": config.gamma, "create_offset": config.beta}
        if config.eps is not None:
            options["eps"] = config.eps
        if config.keep is not None:
            options["decay_rate"] = config.keep
        self.decay = options.get("decay_rate", DEFAULT_DECAY)
        self.module = load_sonnet().BatchNorm(data_format=DATA_FORMATS[config.layout], **options)
        # The variables are made in the first call; one in inference changes none of them.
        shape = [config.num_channels if axis == config.channel_axis else 1 for axis in range(config.rank)]
        self.module(tensorflow().zeros(shape, config.dtype), is_training=False)
        self.averages = (self.module.moving_mean, self.module.moving_variance)
        self.parameters = (
            self.module.scale if config.gamma else None,
            self.module.offset if config.beta else None,
        )

    def apply(self, x: Any, training: bool) -> Any:
        return self.module(x, is_training=training)

    def running_statistics(self) -> RunningStatistics:
        mean, variance = (average.value.numpy().reshape(-1) for average in self.averages)
        return RunningStatistics(mean, variance)

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        for average, given in zip(self.averages, (mean, variance), strict=True):
            variables = self._variables(average)
            value = given.reshape(average.average.shape)
            weight = 1.0 - self.decay ** int(variables["counter"].numpy())
            variables["average"].assign(value)
            variables["hidden"].assign((value * weight).astype(value.dtype))

    def _variables(self, average: Any) -> dict[str, Any]:
        """The variables of an average by their names: a counter, the hidden average, and the debiased one."""
        return {variable.name.rpartition("/")[2].removesuffix(":0"): variable for variable in average.variables}

    def _held(self) -> dict[str, Any]:
        """All variables, as a checkpoint names them."""
        found = dict(zip(("scale", "offset"), self.parameters, strict=True))
        for name, average in zip(("moving_mean", "moving_variance"), self.averages, strict=True):
            found |= {f"{name}/{part}": variable for part, variable in self._variables(average).items()}
        return {name: variable for name, variable in found.items() if variable is not None}

    def state(self) -> Mapping[str, Array]:
        return {name: np.array(variable.numpy()) for name, variable in self._held().items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        for name, variable in self._held().items():
            variable.assign(state[name])


class Sonnet(Adapter):
    """`snt.BatchNorm` where it calls `tf.nn.moments`: everywhere but at rank 4 with channels last."""

    name = "sonnet"
    group = "more"
    framework = "sonnet"
    environment = TENSORFLOW_ENVIRONMENT
    requires = ("tensorflow", "sonnet")
    install = "pip install 'bnconform[sonnet]'"
    distributions = ("dm-sonnet", *TENSORFLOW_DISTRIBUTIONS)
    # sonnet/src/batch_norm.py; sonnet/src/moving_averages.py: debiased, and the average starts at 0.
    convention = Convention(
        running_variance="biased",
        initial_running_variance=0.0,
        momentum_weighs="old",
        default_momentum=DEFAULT_DECAY,
        default_eps=1e-5,
        debiasing="zero-debias",
    )
    capabilities = Capabilities(
        layouts=frozenset({"first", "last"}),
        affine=frozenset({"both", "none", "gamma", "beta"}),
        second_order=frozenset({"training", "inference"}),
    )

    def build(self, config: LayerConfig) -> Layer:
        return _SonnetLayer(config)

    def code(self, config: LayerConfig) -> LayerCode:
        return SonnetCode(config)

    def supports(self, config: LayerConfig) -> str | None:
        return "x of rank 4 with channels last goes to the fused kernel: sonnet[fused]" if _is_fused(config) else None


class SonnetFused(Sonnet):
    """`snt.BatchNorm` where it calls the fused kernel, `FusedBatchNormV2`: at rank 4 with channels last."""

    name = "sonnet[fused]"
    convention = replace(
        Sonnet.convention,
        running_variance="unbiased",  # the kernel's own, which is kept as it is
        eps_dtype="float32",  # the attribute "epsilon: float" of the operation
    )
    capabilities = replace(
        Sonnet.capabilities,
        dtypes=frozenset({"float32"}),
        ranks=frozenset({4}),
        layouts=frozenset({"last"}),
    )

    def supports(self, config: LayerConfig) -> str | None:
        return None


def _is_fused(config: LayerConfig) -> bool:
    return (config.rank, config.layout) == (4, "last")
