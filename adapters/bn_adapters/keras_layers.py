"""Keras 3: `keras.layers.BatchNormalization` on each of its backends.

The layer is the same class everywhere; what differs is how a backend is asked for gradients, hence one small subclass
of `KerasLayer` each. Keras reads its backend from KERAS_BACKEND when it is imported and keeps it for the process, so
each of these implementations needs a process of its own.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

import numpy as np

from bn_adapters.jax_functions import JAX_ENVIRONMENT
from bn_adapters.tensorflow_tapes import TENSORFLOW_ENVIRONMENT, tensorflow
from bn_adapters.torch_tensors import load_torch, to_array, to_tensor
from bn_conformance.adapter import (
    Adapter,
    Array,
    Capabilities,
    Convention,
    Gradients,
    Layer,
    LayerConfig,
    RunningStatistics,
)

# A layer's dtype policy names the dtype of x and of the variables together; "mixed_*" is the only way to have two
# (keras/src/dtype_policies/dtype_policy.py, DTypePolicy._parse_name).
POLICIES = {("float16", "float32"): "mixed_float16", ("bfloat16", "float32"): "mixed_bfloat16"}

ENVIRONMENTS: Mapping[str, Mapping[str, str]] = {
    "tensorflow": {**TENSORFLOW_ENVIRONMENT, "KERAS_BACKEND": "tensorflow"},
    "jax": {**JAX_ENVIRONMENT, "KERAS_BACKEND": "jax"},
    "torch": {"KERAS_BACKEND": "torch", "KERAS_TORCH_DEVICE": "cpu"},  # else Keras takes a GPU wherever torch sees one
}
"""By backend, what must be set before Keras is imported: the backend, one thread, no GPU."""


@cache
def load_keras(backend: str) -> Any:
    """The module keras on this backend, on one thread.

    Raises:
        RuntimeError: keras runs another backend in this process.
    """
    if backend == "tensorflow":
        tensorflow()
    elif backend == "torch":
        load_torch()
    import keras

    if keras.config.backend() != backend:
        raise RuntimeError(
            f"keras runs on {keras.config.backend()} in this process; keras[{backend}] needs a process of its own, "
            f"started with KERAS_BACKEND={backend}"
        )
    return keras


class KerasLayer(Layer):
    """One `keras.layers.BatchNormalization`, or any layer like it, behind the contract.

    The backends add `forward` and `backward`. `layer` is one that is not built yet, with gamma, beta (None where
    absent), moving_mean and moving_variance once it is.
    """

    def __init__(self, keras: Any, config: LayerConfig, layer: Any = None) -> None:
        self.keras = keras
        self.channel_axis = config.channel_axis
        self.layer = self._batch_normalization(config) if layer is None else layer
        shape: list[int | None] = [None] * config.rank
        shape[config.channel_axis] = config.num_channels
        self.layer.build(tuple(shape))

    def _batch_normalization(self, config: LayerConfig) -> Any:
        keras = self.keras
        arguments: dict[str, Any] = {}
        if config.eps is not None:
            arguments["epsilon"] = config.eps
        if config.keep is not None:
            arguments["momentum"] = config.keep
        policy = POLICIES.get((config.dtype, config.parameter_dtype), config.dtype)
        return keras.layers.BatchNormalization(
            axis=config.channel_axis,
            scale=config.gamma,
            center=config.beta,
            dtype=keras.DTypePolicy(policy),  # never left to Keras, which has a floatx of its own
            **arguments,
        )

    @property
    def parameters(self) -> list[Any]:
        """The variables gamma and beta, as far as the layer has them."""
        return [variable for variable in (self.layer.gamma, self.layer.beta) if variable is not None]

    def gradients(self, dx: Array, of_parameters: list[Array]) -> Gradients:
        """The contract's tuple from dx and the gradients of `parameters`."""
        remaining = iter(of_parameters)
        dgamma = None if self.layer.gamma is None else next(remaining)
        return Gradients(dx, dgamma, None if self.layer.beta is None else next(remaining))

    @abstractmethod
    def forward(self, x: Array, training: bool, mask: Array | None = None) -> Array: ...

    def forward_masked(self, x: Array, mask: Array, training: bool) -> Array:
        # "The mask provided should be one dimension less than the inputs": BatchNormalization.call.
        return self.forward(x, training, mask.squeeze(self.channel_axis))

    def _masked(self, mask: Array | None) -> dict[str, Any]:
        """The argument mask of a call, if there is one."""
        return {} if mask is None else {"mask": self.keras.ops.convert_to_tensor(mask.copy())}

    @abstractmethod
    def backward(self, dy: Array) -> Gradients: ...

    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(
            self._array(self.layer.moving_mean.value), self._array(self.layer.moving_variance.value)
        )

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self._assign(self.layer.moving_mean, mean)
        self._assign(self.layer.moving_variance, variance)

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        if gamma is not None:
            self._assign(self.layer.gamma, gamma)
        if beta is not None:
            self._assign(self.layer.beta, beta)

    def state(self) -> Mapping[str, Array]:
        # The values that layer.save_own_variables() writes; it numbers them, here they carry the variables' names.
        return {variable.name: self._array(variable.value) for variable in self.layer.weights}

    def load_state(self, state: Mapping[str, Array]) -> None:
        self.layer.set_weights([np.array(state[variable.name]) for variable in self.layer.weights])

    def freeze(self) -> None:
        self.layer.trainable = False

    def _assign(self, variable: Any, array: Array) -> None:
        variable.assign(np.array(array))  # a copy, because JAX would keep the caller's memory as the variable's

    def _array(self, value: Any) -> Array:
        return np.asarray(self.keras.ops.convert_to_numpy(value))


class TensorflowKerasLayer(KerasLayer):
    """Gradients by `tf.GradientTape`."""

    latest: tuple[Any, Any, Any] | None = None

    def forward(self, x: Array, training: bool, mask: Array | None = None) -> Array:
        x_tensor = tensorflow().convert_to_tensor(x)
        with tensorflow().GradientTape(persistent=True) as tape:
            if x_tensor.dtype.is_floating:  # anything else is for the layer to refuse
                tape.watch(x_tensor)
            # The tape does not by itself watch the variables of a layer with trainable=False.
            tape.watch([variable.value for variable in self.parameters])
            y_tensor = self.layer(x_tensor, training=training, **self._masked(mask))
        self.latest = (tape, x_tensor, y_tensor)
        return self._array(y_tensor)

    def backward(self, dy: Array) -> Gradients:
        if self.latest is None:
            raise RuntimeError("backward needs a forward before it")
        tape, x_tensor, y_tensor = self.latest
        sources = [x_tensor, *(variable.value for variable in self.parameters)]
        dx, *found = tape.gradient(y_tensor, sources, output_gradients=tensorflow().convert_to_tensor(dy))
        return self.gradients(self._array(dx), [self._array(gradient) for gradient in found])


class JaxKerasLayer(KerasLayer):
    """Gradients by `jax.vjp` of the same call, which `keras.StatelessScope` makes a pure function of its inputs."""

    latest: tuple[Any, list[Any], list[Any], dict[str, Any]] | None = None

    def forward(self, x: Array, training: bool, mask: Array | None = None) -> Array:
        import jax

        x_tensor = jax.numpy.asarray(x)
        # JAX's arrays do not change, so that keeping those of now is enough to repeat this call in backward.
        statistics = [self.layer.moving_mean.value, self.layer.moving_variance.value]
        parameters = [variable.value for variable in self.parameters]
        arguments = {"training": training, **self._masked(mask)}
        y_tensor = self.layer(x_tensor, **arguments)
        self.latest = (x_tensor, parameters, statistics, arguments)
        return self._array(y_tensor)

    def backward(self, dy: Array) -> Gradients:
        import jax

        if self.latest is None:
            raise RuntimeError("backward needs a forward before it")
        x_tensor, parameters, statistics, arguments = self.latest
        held = [self.layer.moving_mean, self.layer.moving_variance]

        def call(x: Any, values: list[Any]) -> Any:
            # Not layer.stateless_call, which skips the checks and casts that calling the layer makes.
            mapping = [*zip(self.parameters, values, strict=True), *zip(held, statistics, strict=True)]
            with self.keras.StatelessScope(state_mapping=mapping):
                return self.layer(x, **arguments)

        _, pull_back = jax.vjp(call, x_tensor, parameters)
        dx, found = pull_back(jax.numpy.asarray(dy))
        return self.gradients(self._array(dx), [self._array(gradient) for gradient in found])


class TorchKerasLayer(KerasLayer):
    """Gradients by torch's autograd."""

    latest: tuple[Any, Any, list[Any]] | None = None

    def forward(self, x: Array, training: bool, mask: Array | None = None) -> Array:
        x_tensor = to_tensor(x)
        if x_tensor.is_floating_point():  # anything else is for the layer to refuse
            x_tensor.requires_grad_(True)
        parameters = [variable.value for variable in self.parameters]
        scope: Any = nullcontext()
        if not self.layer.trainable:
            # Parameters of a frozen layer take no gradients in torch; stand-ins do, and a frozen layer assigns nothing.
            parameters = [parameter.detach().requires_grad_(True) for parameter in parameters]
            scope = self.keras.StatelessScope(state_mapping=zip(self.parameters, parameters, strict=True))
        with scope:
            y_tensor = self.layer(x_tensor, training=training, **self._masked(mask))
        self.latest = (x_tensor, y_tensor, parameters)
        return to_array(y_tensor)

    def backward(self, dy: Array) -> Gradients:
        if self.latest is None:
            raise RuntimeError("backward needs a forward before it")
        x_tensor, y_tensor, parameters = self.latest
        sources = [x_tensor, *parameters]
        dx, *found = load_torch().autograd.grad(y_tensor, sources, to_tensor(dy), retain_graph=True)
        return self.gradients(to_array(dx), [to_array(gradient) for gradient in found])


class KerasAdapter(Adapter):
    """What the three share: one convention, since the layer computes its statistics in the same words everywhere."""

    backend: ClassVar[str]
    layer_class: ClassVar[type[KerasLayer]]
    distributions: ClassVar[tuple[str, ...]]

    # Defaults: BatchNormalization.__init__ in keras/src/layers/normalization/batch_normalization.py. Its build() gives
    # the statistics the dtype of the variables. moments() divides by n on every backend (keras/src/backend/*/nn.py);
    # there is no fused kernel as in Keras 2, whose running variance was unbiased for some ranks and layouts.
    convention = Convention(
        running_variance="biased",
        momentum_weighs="old",
        default_momentum=0.99,
        default_eps=1e-3,
    )
    capabilities = Capabilities(
        dtypes=frozenset({"float16", "bfloat16", "float32", "float64"}),
        mixed=frozenset(POLICIES),
        layouts=frozenset({"first", "last", "between"}),
        affine=frozenset({"both", "none", "gamma", "beta"}),
        freeze=True,
        masks=True,
    )

    def build(self, config: LayerConfig) -> Layer:
        return self.layer_class(load_keras(self.backend), config)

    def versions(self) -> Mapping[str, str]:
        found = {}
        for name in self.distributions:
            with suppress(PackageNotFoundError):
                found[name] = version(name)
        return found


class KerasTensorflow(KerasAdapter):
    """`keras.layers.BatchNormalization` on TensorFlow, eager."""

    name = "keras[tensorflow]"
    backend = "tensorflow"
    layer_class = TensorflowKerasLayer
    framework = "keras-tensorflow"
    environment = ENVIRONMENTS["tensorflow"]
    requires = ("keras", "tensorflow")
    distributions = ("keras", "tensorflow", "tensorflow-cpu")
    install = "pip install 'bnconform[tensorflow]'"


class KerasJax(KerasAdapter):
    """`keras.layers.BatchNormalization` on JAX, eager: each operation is compiled for each shape that it meets."""

    name = "keras[jax]"
    backend = "jax"
    layer_class = JaxKerasLayer
    framework = "keras-jax"
    environment = ENVIRONMENTS["jax"]
    requires = ("keras", "jax")
    distributions = ("keras", "jax", "jaxlib")
    install = "pip install 'bnconform[keras,jax]'"
    capabilities = replace(KerasAdapter.capabilities, compiles=True)


class KerasTorch(KerasAdapter):
    """`keras.layers.BatchNormalization` on PyTorch."""

    name = "keras[torch]"
    backend = "torch"
    layer_class = TorchKerasLayer
    framework = "keras-torch"
    environment = ENVIRONMENTS["torch"]
    requires = ("keras", "torch")
    distributions = ("keras", "torch")
    install = "pip install 'bnconform[keras,torch]'"
