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

from bn_adapters.recorded import recorded
from bn_adapters.sonnet_code import DATA_FORMATS, SonnetCode
from bn_adapters.tensorflow_tapes import TENSORFLOW_DISTRIBUTIONS, TENSORFLOW_ENVIRONMENT, Tapes, tensorflow
from bn_conformance.adapter import (
    Adapter,
    Array,
    Capabilities,
    Convention,
    Gradients,
    Layer,
    LayerConfig,
    RunningStatistics,
    SecondOrder,
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


class _SonnetLayer(Layer):
    """One `snt.BatchNorm`, with gradients by `tf.GradientTape`."""

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
        self.parameters = tuple(
            variable if has else None
            for variable, has in ((self.module.scale, config.gamma), (self.module.offset, config.beta))
        )
        self.latest: tuple[Tapes, Any] | None = None

    def forward(self, x: Array, training: bool) -> Array:
        x_tensor = tensorflow().constant(x)
        with Tapes(x_tensor, *self.parameters) as tapes:
            y_tensor = self.module(x_tensor, is_training=training)
        self.latest = (tapes, y_tensor)
        y: Array = y_tensor.numpy()
        return y

    def backward(self, dy: Array) -> Gradients:
        tapes, y_tensor = recorded(self.latest)
        dx, *vectors = tapes.gradients(y_tensor, dy)
        return Gradients(dx, *(None if vector is None else vector.reshape(-1) for vector in vectors))

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        tapes, y_tensor = recorded(self.latest)
        weights = {"dx": v_dx} | {
            name: None if given is None or held is None else given.reshape(held.shape)
            for name, given, held in zip(("dgamma", "dbeta"), (v_dgamma, v_dbeta), self.parameters, strict=True)
        }
        found = tapes.second_order(y_tensor, dy, weights)
        return found._replace(ds_dgamma=None if found.ds_dgamma is None else found.ds_dgamma.reshape(-1))

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

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        for variable, given in zip(self.parameters, (gamma, beta), strict=True):
            if given is not None and variable is not None:
                variable.assign(given.reshape(variable.shape))

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
