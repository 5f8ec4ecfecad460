"""Batch normalisation from TensorFlow's operations, eagerly: the fused kernel, and moments with normalisation.

Neither operation keeps running statistics itself; both adapters keep them in `tf.Variable`s as code that uses the
operations does, and move them in the training forward.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

from bn_adapters.tensorflow_code import DATA_FORMATS, FusedCode, MomentsCode
from bn_adapters.tensorflow_layers import TapedLayer, assign
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


class Held(NamedTuple):
    """What a layer holds, as variables or tensors; None for a parameter that it does not have."""

    gamma: Any
    beta: Any
    mean: Any
    variance: Any


class EagerLayer(TapedLayer):
    """Parameters and moving statistics as variables."""

    def __init__(self, config: LayerConfig) -> None:
        tf = tensorflow()
        self._config = config
        shape, dtype = (config.num_channels,), tf.as_dtype(config.parameter_dtype)
        self._gamma = tf.Variable(tf.ones(shape, dtype), name="gamma") if config.gamma else None
        self._beta = tf.Variable(tf.zeros(shape, dtype), name="beta") if config.beta else None
        self.parameters = (self._gamma, self._beta)
        self._moving_mean = tf.Variable(tf.zeros(shape, dtype), trainable=False, name="moving_mean")
        self._moving_variance = tf.Variable(tf.ones(shape, dtype), trainable=False, name="moving_variance")

    @abstractmethod
    def train(self, x: Any, held: Held) -> tuple[Any, Any, Any]:
        """The result, and the moving mean and moving variance as they are to become."""

    @abstractmethod
    def infer(self, x: Any, held: Held) -> Any:
        """The result, from the moving statistics."""

    @property
    def _held(self) -> Held:
        return Held(self._gamma, self._beta, self._moving_mean, self._moving_variance)

    def apply(self, x: Any, training: bool) -> Any:
        if not training:
            return self.infer(x, self._held)
        y, mean, variance = self.train(x, self._held)
        self._moving_mean.assign(mean)
        self._moving_variance.assign(variance)
        return y

    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(self._moving_mean.numpy(), self._moving_variance.numpy())

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        assign(self._moving_mean, mean)
        assign(self._moving_variance, variance)

    def state(self) -> Mapping[str, Array]:
        return {variable.name: variable.numpy() for variable in self._variables()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        for variable in self._variables():
            assign(variable, state[variable.name])

    def _variables(self) -> list[Any]:
        return [variable for variable in self._held if variable is not None]


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
