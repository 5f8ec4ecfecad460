"""The layer of Keras on each of its backends, which differ in how they are asked for gradients."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from bn_adapters.jax_functions import pulled_back, pulled_back_twice, weight_of
from bn_adapters.keras_code import POLICIES
from bn_adapters.recorded import recorded
from bn_adapters.tensorflow_tapes import Tapes, tensorflow
from bn_adapters.torch_autograd import ParameterPair, gradients, second_order_gradients
from bn_adapters.torch_tensors import load_torch, to_array, to_tensor
from bn_conformance.adapter import Array, Gradients, Layer, LayerConfig, RunningStatistics, SecondOrder


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

    The backends add `forward`, `backward` and `double_backward`. `layer` is one that is not built yet, with gamma,
    beta (None where absent), moving_mean and moving_variance once it is.
    """

    more: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """Further arguments of the layer's class."""

    def __init__(self, keras: Any, config: LayerConfig, layer: Any = None) -> None:
        self.keras = keras
        self.channel_axis = config.channel_axis
        self.layer = self._batch_normalization(config) if layer is None else layer
        shape: list[int | None] = [None] * config.rank
        shape[config.channel_axis] = config.num_channels
        self.layer.build(tuple(shape))

    def _batch_normalization(self, config: LayerConfig) -> Any:
        keras = self.keras
        arguments = dict(self.more)
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

    @property
    def statistics(self) -> list[Any]:
        """The variables of the moving statistics."""
        return [self.layer.moving_mean, self.layer.moving_variance]

    def placed(self, values: Iterable[Any]) -> tuple[Any, Any]:
        """Values that there is one of for each of `parameters`, as those of gamma and of beta: None where absent."""
        remaining = iter(values)
        gamma = None if self.layer.gamma is None else next(remaining)
        return gamma, None if self.layer.beta is None else next(remaining)

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

    @abstractmethod
    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder: ...

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


class NumpyKerasLayer(KerasLayer):
    """A forward alone: Keras has no gradients on NumPy."""

    def forward(self, x: Array, training: bool, mask: Array | None = None) -> Array:
        return self._array(self.layer(x, training=training, **self._masked(mask)))

    def backward(self, dy: Array) -> Gradients:
        raise NotImplementedError("Keras has no gradients on NumPy")

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        raise NotImplementedError("Keras has no gradients on NumPy")


class TensorflowKerasLayer(KerasLayer):
    """Gradients by `tf.GradientTape`."""

    latest: tuple[Tapes, Any] | None = None

    def forward(self, x: Array, training: bool, mask: Array | None = None) -> Array:
        x_tensor = tensorflow().convert_to_tensor(x)
        # The tapes are told of each variable: by itself none watches those of a layer with trainable=False.
        with Tapes(x_tensor, *self.placed(variable.value for variable in self.parameters)) as tapes:
            y_tensor = self.layer(x_tensor, training=training, **self._masked(mask))
        self.latest = (tapes, y_tensor)
        return self._array(y_tensor)

    def backward(self, dy: Array) -> Gradients:
        tapes, y_tensor = self._recorded()
        return tapes.gradients(y_tensor, dy)

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        tapes, y_tensor = self._recorded()
        return tapes.second_order(y_tensor, dy, {"dx": v_dx, "dgamma": v_dgamma, "dbeta": v_dbeta})

    def _recorded(self) -> tuple[Tapes, Any]:
        return recorded(self.latest)


class JaxKerasLayer(KerasLayer):
    """Gradients by `jax.vjp` of the same call, which `keras.StatelessScope` makes a pure function of its inputs."""

    latest: tuple[Any, list[Any], list[Any], dict[str, Any], bool] | None = None

    def forward(self, x: Array, training: bool, mask: Array | None = None) -> Array:
        import jax

        x_tensor = jax.numpy.asarray(x)
        # JAX's arrays do not change, so that keeping those of now is enough to repeat this call in backward.
        statistics = [variable.value for variable in self.statistics]
        parameters = [variable.value for variable in self.parameters]
        arguments = {"training": training, **self._masked(mask)}
        y_tensor = self.layer(x_tensor, **arguments)
        self.latest = (x_tensor, parameters, statistics, arguments, self.layer.trainable)
        return self._array(y_tensor)

    def backward(self, dy: Array) -> Gradients:
        import jax

        call, parameters, x_tensor = self._pure()
        found, dx = pulled_back(call, parameters, x_tensor, jax.numpy.asarray(dy))
        return Gradients(self._array(dx), *self.placed(map(self._array, found)))

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        import jax

        call, parameters, x_tensor = self._pure()
        given = [
            vector for vector, held in ((v_dgamma, self.layer.gamma), (v_dbeta, self.layer.beta)) if held is not None
        ]
        vectors = [weight_of(vector, parameter) for vector, parameter in zip(given, parameters, strict=True)]
        dy_tensor, weights = jax.numpy.asarray(dy), (vectors, jax.numpy.asarray(v_dx))
        found, ds_dx, ds_ddy = pulled_back_twice(call, parameters, x_tensor, dy_tensor, weights)
        ds_dgamma, _ = self.placed(map(self._array, found))
        return SecondOrder(self._array(ds_dx), ds_dgamma, self._array(ds_ddy))

    def _pure(self) -> tuple[Callable[[list[Any], Any], Any], list[Any], Any]:
        """The latest call as a function of parameters and x, and those that it had."""
        x_tensor, parameters, statistics, arguments, trainable = recorded(self.latest)

        def call(values: list[Any], x: Any) -> Any:
            # Not layer.stateless_call, which skips the checks and casts that calling the layer makes.
            mapping = [*zip(self.parameters, values, strict=True), *zip(self.statistics, statistics, strict=True)]
            now, self.layer.trainable = self.layer.trainable, trainable  # it may have been frozen since
            try:
                with self.keras.StatelessScope(state_mapping=mapping):
                    return self.layer(x, **arguments)
            finally:
                self.layer.trainable = now

        return call, parameters, x_tensor


class TorchKerasLayer(KerasLayer):
    """Gradients by torch's autograd."""

    latest: tuple[Any, Any, ParameterPair] | None = None

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
        self.latest = (y_tensor, x_tensor, self.placed(parameters))
        return to_array(y_tensor)

    def backward(self, dy: Array) -> Gradients:
        return gradients(*self._recorded(), to_tensor(dy))

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        vectors = (None if vector is None else to_tensor(vector) for vector in (v_dgamma, v_dbeta))
        return second_order_gradients(*self._recorded(), to_tensor(dy), (to_tensor(v_dx), *vectors))

    def _recorded(self) -> tuple[Any, Any, ParameterPair]:
        return recorded(self.latest)
