"""Batch normalisation from TensorFlow's operations, eagerly: the fused kernel, and moments with normalisation.

Neither operation keeps running statistics itself; both adapters keep them in `tf.Variable`s as code that uses the
operations does, and move them in the training forward.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from bn_adapters.recorded import recorded
from bn_adapters.tensorflow_code import DATA_FORMATS, FusedCode, MomentsCode
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


class Held(NamedTuple):
    """What a layer holds, as variables or tensors; None for a parameter that it does not have."""

    gamma: Any
    beta: Any
    mean: Any
    variance: Any


class EagerLayer(Layer):
    """Parameters and moving statistics as variables, gradients from `tf.GradientTape`."""

    def __init__(self, config: LayerConfig) -> None:
        tf = tensorflow()
        self._config = config
        shape, dtype = (config.num_channels,), tf.as_dtype(config.parameter_dtype)
        self._gamma = tf.Variable(tf.ones(shape, dtype), name="gamma") if config.gamma else None
        self._beta = tf.Variable(tf.zeros(shape, dtype), name="beta") if config.beta else None
        self._moving_mean = tf.Variable(tf.zeros(shape, dtype), trainable=False, name="moving_mean")
        self._moving_variance = tf.Variable(tf.ones(shape, dtype), trainable=False, name="moving_variance")
        self._latest: tuple[Tapes, Any] | None = None

    @abstractmethod
    def train(self, x: Any, held: Held) -> tuple[Any, Any, Any]:
        """The result, and the moving mean and moving variance as they are to become."""

    @abstractmethod
    def infer(self, x: Any, held: Held) -> Any:
        """The result, from the moving statistics."""

    @property
    def _held(self) -> Held:
        return Held(self._gamma, self._beta, self._moving_mean, self._moving_variance)

    def forward(self, x: Array, training: bool) -> Array:
        tf = tensorflow()
        tensor = tf.constant(x)
        with Tapes(tensor, self._gamma, self._beta) as tapes:
            if training:
                y, mean, variance = self.train(tensor, self._held)
            else:
                y = self.infer(tensor, self._held)
        if training:
            self._moving_mean.assign(mean)
            self._moving_variance.assign(variance)
        self._latest = (tapes, y)
        result: Array = y.numpy()
        return result

    def backward(self, dy: Array) -> Gradients:
        tapes, y = self._recorded()
        return tapes.gradients(y, dy)

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        tapes, y = self._recorded()
        return tapes.second_order(y, dy, {"dx": v_dx, "dgamma": v_dgamma, "dbeta": v_dbeta})

    def _recorded(self) -> tuple[Tapes, Any]:
        """The record of the latest forward, and its y."""
        return recorded(self._latest)

    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(self._moving_mean.numpy(), self._moving_variance.numpy())

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        # Copies, because TensorFlow may keep the memory of an array as the variable's.
        self._moving_mean.assign(np.array(mean))
        self._moving_variance.assign(np.array(variance))

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        if self._gamma is not None and gamma is not None:
            self._gamma.assign(np.array(gamma))
        if self._beta is not None and beta is not None:
            self._beta.assign(np.array(beta))

    def state(self) -> Mapping[str, Array]:
        return {variable.name: variable.numpy() for variable in self._variables()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        for variable in self._variables():
            variable.assign(np.array(state[variable.name]))

    def _parameters(self) -> list[Any]:
        return [variable for variable in (self._gamma, self._beta) if variable is not None]

    def _variables(self) -> list[Any]:
        return [*self._parameters(), self._moving_mean, self._moving_variance]


class FusedLayer(EagerLayer):
    """`fused_batch_norm`, which moves the statistics itself where `exponential_avg_factor` is not 1."""

    def __init__(self, config: LayerConfig) -> None:
        super().__init__(config)
        self._options: dict[str, Any] = {"data_format": DATA_FORMATS[config.rank, config.layout]}
        if config.eps is not None:
            self._options["epsilon"] = config.eps

    def train(self, x: Any, held: Held) -> tuple[Any, Any, Any]:
        options = dict(self._options)
        if self._config.momentum not in (None, 1.0):  # With a factor of 1 "mean must be None", says the documentation.
            options["exponential_avg_factor"] = self._config.momentum
            options |= {"mean": held.mean, "variance": held.variance}
        fused = tensorflow().compat.v1.nn.fused_batch_norm
        y, mean, variance = fused(x, held.gamma, held.beta, is_training=True, **options)
        return y, mean, variance

    def infer(self, x: Any, held: Held) -> Any:
        fused = tensorflow().compat.v1.nn.fused_batch_norm
        statistics = {"mean": held.mean, "variance": held.variance}
        y, _, _ = fused(x, held.gamma, held.beta, is_training=False, **statistics, **self._options)
        return y


class MomentsLayer(EagerLayer):
    """`tf.nn.moments` and `tf.nn.batch_normalization`, with the moving averages of `tf.keras`' unfused layer."""

    def __init__(self, config: LayerConfig) -> None:
        super().__init__(config)
        self._axes = list(config.reduced_axes)
        self._keepdims = config.channel_axis != config.rank - 1  # 1-D parameters broadcast over the last axis only.
        self._options = {} if config.eps is None else {"variance_epsilon": config.eps}

    def train(self, x: Any, held: Held) -> tuple[Any, Any, Any]:
        mean, variance = tensorflow().nn.moments(x, self._axes, keepdims=self._keepdims)
        return (
            self._normalise(x, mean, variance, held),
            self._moved(held.mean, mean),
            self._moved(held.variance, variance),
        )

    def infer(self, x: Any, held: Held) -> Any:
        return self._normalise(x, self._broadcast(held.mean), self._broadcast(held.variance), held)

    def _normalise(self, x: Any, mean: Any, variance: Any, held: Held) -> Any:
        offset, scale = self._broadcast(held.beta), self._broadcast(held.gamma)
        return tensorflow().nn.batch_normalization(x, mean, variance, offset, scale, **self._options)

    def _broadcast(self, value: Any) -> Any:
        if value is None or not self._keepdims:
            return value
        shape = [
            self._config.num_channels if axis == self._config.channel_axis else 1 for axis in range(self._config.rank)
        ]
        return tensorflow().reshape(value, shape)

    def _moved(self, moving: Any, batch: Any) -> Any:
        batch = tensorflow().reshape(batch, [-1]) if self._keepdims else batch
        return moving - (moving - batch) * (1.0 - self._config.keep)  # type: ignore[operator]  # see `supports`


class _TensorflowOperations(Adapter):
    framework = "tensorflow"
    environment = TENSORFLOW_ENVIRONMENT
    requires = ("tensorflow",)
    install = "pip install 'bnconform[tensorflow]'"
    distributions = TENSORFLOW_DISTRIBUTIONS


class TensorflowFused(_TensorflowOperations):
    """`tf.compat.v1.nn.fused_batch_norm`: 4-D and 5-D, channels first or last, statistics and parameters in float32."""

    name = "tf.nn.fused"
    convention = Convention(
        # The documentation does not say so; the kernel multiplies by n / (n - 1): tensorflow/core/kernels/
        # fused_batch_norm_op.cc, "rest_size_adjust" (Bessel's correction), and tf_keras'
        # _maybe_add_or_remove_bessels_correction says that the fused variance has it.
        running_variance="unbiased",
        momentum_weighs="new",
        default_momentum=1.0,  # exponential_avg_factor: "If set to 1.0, the current batch average is returned".
        default_eps=1e-3,
        eps_dtype="float32",
        momentum_dtype="float32",  # Attributes "epsilon: float" and "exponential_avg_factor: float" of the op.
        statistics_dtype="float32",
    )
    capabilities = Capabilities(
        # Registered on CPU for x in float16, bfloat16, float32, each with float32 parameters (T and U of the op).
        dtypes=frozenset({"float32"}),
        mixed=frozenset({("float16", "float32"), ("bfloat16", "float32")}),
        ranks=frozenset({4, 5}),
        layouts=frozenset({"first", "last"}),
        affine=frozenset({"both"}),  # scale and offset are required.
        second_order=frozenset({"training", "inference"}),
    )

    def build(self, config: LayerConfig) -> Layer:
        return FusedLayer(config)

    def code(self, config: LayerConfig) -> LayerCode:
        return FusedCode(config)


class TensorflowMoments(_TensorflowOperations):
    """`tf.nn.moments` and `tf.nn.batch_normalization`, with moving averages kept as the unfused layers keep them."""

    name = "tf.nn.moments"
    convention = Convention(
        running_variance="biased",  # "sample variance, not unbiased variance": tensorflow/python/ops/nn_impl.py.
        momentum_weighs="old",  # decay, in moving -= (moving - batch) * (1 - decay).
        default_momentum=None,
        default_eps=None,
        statistics_dtype="parameter",
    )
    capabilities = Capabilities(
        # No wider parameters: multiplying what moments() gives with another dtype raises, without a cast by the user.
        dtypes=frozenset({"float16", "bfloat16", "float32", "float64"}),
        layouts=frozenset({"first", "last", "between"}),
        affine=frozenset({"both", "none", "gamma", "beta"}),
        second_order=frozenset({"training", "inference"}),
    )

    def build(self, config: LayerConfig) -> Layer:
        return MomentsLayer(config)

    def code(self, config: LayerConfig) -> LayerCode:
        return MomentsCode(config)

    def supports(self, config: LayerConfig) -> str | None:
        if config.eps is None:
            return "tf.nn.batch_normalization has no default for variance_epsilon"
        if config.momentum is None:
            return "tf.nn.moments keeps no moving average, so that it has no default momentum"
        return None
