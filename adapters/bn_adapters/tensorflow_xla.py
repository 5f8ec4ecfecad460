"""Batch normalisation on TensorFlow under `tf.function(jit_compile=True)`: compiled by XLA, gradients included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar

from bn_adapters.tensorflow_code import FusedCode, MomentsCode, in_function
from bn_adapters.tensorflow_ops import (
    EagerLayer,
    FusedLayer,
    Held,
    MomentsLayer,
    TensorflowFused,
    TensorflowMoments,
)
from bn_adapters.tensorflow_tapes import tensorflow
from bn_conformance.adapter import Layer, LayerConfig
from bn_conformance.layer_code import LayerCode, Lines


@cache
def _compiled(kind: type[EagerLayer], config: LayerConfig) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The training and the inference of all layers of a configuration: they read nothing else of a layer."""
    tf, layer = tensorflow(), kind(config)
    return tf.function(layer.train, jit_compile=True), tf.function(layer.infer, jit_compile=True)


def _read(held: Held) -> Held:
    """The values of variables: a compiled function that took these themselves would be compiled for each layer."""
    tensor = tensorflow().convert_to_tensor
    return Held(*(None if variable is None else tensor(variable) for variable in held))


class _XlaLayer(EagerLayer):
    """The compiled functions of `plain`."""

    plain: ClassVar[type[EagerLayer]]

    def train(self, x: Any, held: Held) -> tuple[Any, Any, Any]:
        found: tuple[Any, Any, Any] = _compiled(self.plain, self._config)[0](x, _read(held))
        return found

    def infer(self, x: Any, held: Held) -> Any:
        return _compiled(self.plain, self._config)[1](x, _read(held))


class _FusedXlaLayer(_XlaLayer, FusedLayer):
    plain = FusedLayer


class _MomentsXlaLayer(_XlaLayer, MomentsLayer):
    plain = MomentsLayer


class _FusedXlaCode(FusedCode):
    """Under `tf.function(jit_compile=True)`."""

    def forward(self, training: bool) -> Lines:
        return in_function(super().forward(training), "x_tensor", "y_out, mean, variance")


class _MomentsXlaCode(MomentsCode):
    """Under `tf.function(jit_compile=True)`."""

    def forward(self, training: bool) -> Lines:
        left = "y_out, mean, variance" if training else "y_out"
        return in_function(super().forward(training), "x_tensor", left)


class TensorflowFusedXla(TensorflowFused):
    """`tf.nn.fused` under `tf.function(jit_compile=True)`."""

    name = "tf.nn.fused[xla]"
    group = "more"
    capabilities = replace(TensorflowFused.capabilities, compiles=True, original=True)

    def build(self, config: LayerConfig) -> Layer:
        return _FusedXlaLayer(config)

    def build_original(self, config: LayerConfig) -> Layer:
        return super().build(config)

    def code(self, config: LayerConfig) -> LayerCode:
        return _FusedXlaCode(config)


class TensorflowMomentsXla(TensorflowMoments):
    """`tf.nn.moments` under `tf.function(jit_compile=True)`."""

    name = "tf.nn.moments[xla]"
    group = "more"
    capabilities = replace(TensorflowMoments.capabilities, compiles=True, original=True)

    def build(self, config: LayerConfig) -> Layer:
        return _MomentsXlaLayer(config)

    def build_original(self, config: LayerConfig) -> Layer:
        return super().build(config)

    def code(self, config: LayerConfig) -> LayerCode:
        return _MomentsXlaCode(config)
