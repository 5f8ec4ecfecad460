"""Keras 3 on TensorFlow under `tf.function(jit_compile=True)`, as `Model.compile(jit_compile=True)` runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from bn_adapters.keras_backends import TensorflowKerasLayer, load_keras
from bn_adapters.keras_code import KerasXlaCode
from bn_adapters.keras_layers import KerasTensorflow
from bn_adapters.tensorflow_tapes import Tapes, tensorflow
from bn_conformance.adapter import Array, Layer, LayerConfig


@cache
def _compiled(config: LayerConfig, training: bool, trainable: bool) -> Callable[..., tuple[Any, list[Any]]]:
    """Of x and the values of gamma, beta and the moving statistics: y, and the statistics after it.

    All layers of a configuration share it. A function that read the variables of a layer would be compiled for each.
    """
    keras, layer = load_keras("tensorflow"), TensorflowKerasLayer(load_keras("tensorflow"), config)
    layer.layer.trainable = trainable

    def call(x: Any, values: list[Any], **masked: Any) -> tuple[Any, list[Any]]:
        variables = [*layer.parameters, *layer.statistics]
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=True)) as scope:
            y = layer.layer(x, training=training, **masked)
        return y, [scope.get_current_value(variable) for variable in layer.statistics]

    compiled: Callable[..., tuple[Any, list[Any]]] = tensorflow().function(call, jit_compile=True)
    return compiled


class XlaKerasLayer(TensorflowKerasLayer):
    """Gradients by `tf.GradientTape`, compiled as the forward is."""

    def __init__(self, keras: Any, config: LayerConfig, layer: Any = None) -> None:
        super().__init__(keras, config, layer)
        self.config = config

    def forward(self, x: Array, training: bool, mask: Array | None = None) -> Array:
        tensor = tensorflow().convert_to_tensor
        x_tensor = tensor(x)
        parameters, statistics = (
            [tensor(variable.value) for variable in part] for part in (self.parameters, self.statistics)
        )
        compiled = _compiled(self.config, training, self.layer.trainable)
        with Tapes(x_tensor, *self.placed(parameters)) as tapes:
            y_tensor, moved = compiled(x_tensor, [*parameters, *statistics], **self._masked(mask))
        self.latest = (tapes, y_tensor)
        for variable, value in zip(self.statistics, moved, strict=True):
            variable.assign(value)
        return self._array(y_tensor)


class KerasTensorflowXla(KerasTensorflow):
    """`keras.layers.BatchNormalization` on TensorFlow, compiled by XLA."""

    name = "keras[tensorflow,xla]"
    group = "more"
    layer_class = XlaKerasLayer
    code_class = KerasXlaCode
    capabilities = replace(KerasTensorflow.capabilities, compiles=True, original=True)

    def build_original(self, config: LayerConfig) -> Layer:
        return TensorflowKerasLayer(load_keras(self.backend), config)
