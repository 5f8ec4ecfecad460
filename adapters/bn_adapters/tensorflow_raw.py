"""`tf.raw_ops.FusedBatchNormV3` and its gradient operator, as frontends and compilers call them.

`tf.nn.fused` is the same kernel behind a Python function, whose gradient transposes x where the operator cannot take
it. Here `FusedBatchNormGradV3` gets what the forward kept, in the format of x.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bn_adapters.recorded import recorded
from bn_adapters.tensorflow_code import DATA_FORMATS, RawFusedCode
from bn_adapters.tensorflow_ops import EagerLayer, Held, TensorflowFused
from bn_adapters.tensorflow_tapes import tensorflow
from bn_conformance.adapter import Array, Gradients, Layer, LayerConfig, SecondOrder
from bn_conformance.layer_code import LayerCode


class _RawLayer(EagerLayer):
    """The forward and the gradient as two operators."""

    saved: dict[str, Any] | None = None

    def forward(self, x: Array, training: bool) -> Array:
        config, tensor = self._config, tensorflow().constant(x)
        averaged = training and config.momentum not in (None, 1.0)
        given: dict[str, Any] = {"data_format": DATA_FORMATS[config.rank, config.layout], "is_training": training}
        if config.eps is not None:
            given["epsilon"] = config.eps
        # With a factor of 1 a training forward takes no mean: "estimated_mean must be empty for training".
        held = [self._moving_mean, self._moving_variance] if averaged or not training else [[], []]
        factor = {"exponential_avg_factor": config.momentum} if averaged else {}
        y, mean, variance, first, second, third = tensorflow().raw_ops.FusedBatchNormV3(
            x=tensor, scale=self._gamma, offset=self._beta, mean=held[0], variance=held[1], **given, **factor
        )
        if not training:  # the gradient of a layer in inference needs what the forward normalised by
            first, second = (tensorflow().identity(part) for part in held)
        spaces = {"reserve_space_1": first, "reserve_space_2": second, "reserve_space_3": third}
        self.saved = {"x": tensor, "scale": tensorflow().identity(self._gamma), **spaces, **given}
        if training:
            self._moving_mean.assign(mean)
            self._moving_variance.assign(variance)
        result: Array = y.numpy()
        return result

    def backward(self, dy: Array) -> Gradients:
        given = recorded(self.saved)
        found = tensorflow().raw_ops.FusedBatchNormGradV3(y_backprop=tensorflow().constant(dy), **given)
        return Gradients(*(part.numpy() for part in found[:3]))

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        raise NotImplementedError("the gradient is an operator here, which nothing differentiates")

    def train(self, x: Any, held: Held) -> tuple[Any, Any, Any]:
        raise NotImplementedError

    def infer(self, x: Any, held: Held) -> Any:
        raise NotImplementedError


class TensorflowRawFused(TensorflowFused):
    """`tf.raw_ops.FusedBatchNormV3` and `tf.raw_ops.FusedBatchNormGradV3` with the channels last: NHWC and NDHWC."""

    name = "tf.raw.FusedBatchNormV3"
    group = "more"
    # "epsilon: float = 0.0001" in tensorflow/core/ops/nn_ops.cc.
    convention = replace(TensorflowFused.convention, default_eps=1e-4)
    capabilities = replace(TensorflowFused.capabilities, second_order=frozenset(), layouts=frozenset({"last"}))

    def build(self, config: LayerConfig) -> Layer:
        return _RawLayer(config)

    def code(self, config: LayerConfig) -> LayerCode:
        return RawFusedCode(config)


class TensorflowRawFusedChannelsFirst(TensorflowRawFused):
    """The same operators with the channels first: NCHW and NCDHW."""

    name = "tf.raw.FusedBatchNormV3[NCHW]"
    # "The implementation of FusedBatchNormGrad with is_training=False only support NHWC tensor format for now."
    capabilities = replace(
        TensorflowRawFused.capabilities, layouts=frozenset({"first"}), gradients=frozenset({"training"})
    )
