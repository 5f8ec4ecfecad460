"""Keras 2, which lives on as `tf-keras`: its `BatchNormalization`, eagerly, with the fused kernel and without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from bn_adapters.keras_code import POLICIES
from bn_adapters.tensorflow_layers import TapedLayer, assign
from bn_adapters.tensorflow_tapes import TENSORFLOW_DISTRIBUTIONS, TENSORFLOW_ENVIRONMENT, tensorflow
from bn_adapters.tf_keras_code import LegacyCode
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


@cache
def load_tf_keras() -> Any:
    """The module tf_keras, with TensorFlow on one thread."""
    tensorflow()
    import tf_keras

    return tf_keras


class _LegacyLayer(TapedLayer):
    """One `tf_keras.layers.BatchNormalization`."""

    def __init__(self, config: LayerConfig, fused: bool) -> None:
        options: dict[str, Any] = {"axis": config.channel_axis, "scale": config.gamma, "center": config.beta}
        if config.eps is not None:
            options["epsilon"] = config.eps
        if config.keep is not None:
            options["momentum"] = config.keep
        policy = POLICIES.get((config.dtype, config.parameter_dtype), config.dtype)
        self.layer = load_tf_keras().layers.BatchNormalization(fused=fused, dtype=policy, **options)
        self.layer.build([config.num_channels if axis == config.channel_axis else None for axis in range(config.rank)])
        self.parameters = (self.layer.gamma, self.layer.beta)

    def apply(self, x: Any, training: bool) -> Any:
        return self.layer(x, training=training)

    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(self.layer.moving_mean.numpy(), self.layer.moving_variance.numpy())

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        assign(self.layer.moving_mean, mean)
        assign(self.layer.moving_variance, variance)

    def state(self) -> Mapping[str, Array]:
        names = [variable.name.rpartition("/")[2] for variable in self.layer.weights]
        return dict(zip(names, self.layer.get_weights(), strict=True))

    def load_state(self, state: Mapping[str, Array]) -> None:
        self.layer.set_weights([np.array(value) for value in state.values()])

    def freeze(self) -> None:
        # "setting layer.trainable = False will run the layer in inference mode": BatchNormalization's documentation.
        self.layer.trainable = False


class TfKerasLegacy(Adapter):
    """`tf_keras.layers.BatchNormalization(fused=False)`."""

    name = "tf.keras-legacy"
    group = "more"
    framework = "tf-keras-eager"
    environment = TENSORFLOW_ENVIRONMENT
    requires = ("tensorflow", "tf_keras")
    install = "pip install 'bnconform[tensorflow]'"
    distributions = ("tf-keras", *TENSORFLOW_DISTRIBUTIONS)
    convention = Convention(
        running_variance="biased",  # tf.nn.moments
        momentum_weighs="old",
        default_momentum=0.99,
        default_eps=1e-3,
        momentum_dtype="float32-new",  # _assign_moving_average makes a float32 tensor of 1 - momentum
        statistics_dtype="float32",  # _param_dtype: "Raise parameters of fp16 batch norm to fp32", bfloat16 as well.
    )
    capabilities = Capabilities(
        dtypes=frozenset({"float32", "float64"}),
        mixed=frozenset(POLICIES),
        layouts=frozenset({"first", "last", "between"}),
        affine=frozenset({"both", "none", "gamma", "beta"}),
        freeze=True,
        second_order=frozenset({"training", "inference"}),
    )
    fused = False

    def build(self, config: LayerConfig) -> Layer:
        return _LegacyLayer(config, self.fused)

    def code(self, config: LayerConfig) -> LayerCode:
        return LegacyCode(config, self.fused)


class TfKerasLegacyFused(TfKerasLegacy):
    """`tf_keras.layers.BatchNormalization(fused=True)`, which it is by default where the kernel can be used."""

    name = "tf.keras-legacy[fused]"
    convention = replace(
        TfKerasLegacy.convention,
        # `_bessels_correction_test_only = True` in BatchNormalizationBase.__init__: the kernel's variance is kept.
        running_variance="unbiased",
        eps_dtype="float32",  # Attributes "epsilon: float" and "exponential_avg_factor: float" of the operation.
        momentum_dtype="float32-new",
    )
    capabilities = replace(
        TfKerasLegacy.capabilities,
        dtypes=frozenset({"float32"}),
        ranks=frozenset({4, 5}),
        layouts=frozenset({"first", "last"}),
    )
    fused = True
