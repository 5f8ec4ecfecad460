"""Layers of JAX whose forward is a pure function: of parameters, statistics, x and perhaps a mask.

Gradients come from `jax.vjp`, which runs the forward again: a forward alone costs nothing extra. Compiled functions are
kept by whoever makes `Functions`, so that all layers of a configuration share what was compiled for a shape.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_adapters.recorded import recorded
from bn_conformance.adapter import Array, Gradients, Layer, LayerConfig, SecondOrder

JAX_ENVIRONMENT: Mapping[str, str] = {
    "JAX_ENABLE_X64": "1",  # Else float64 arrays turn into float32 without an error.
    "JAX_PLATFORMS": "{device}",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # Else the first process takes most of a GPU's memory.
    "NPROC": "1",  # Threads of XLA's CPU client; --xla_cpu_multi_thread_eigen=false changes nothing with jaxlib 0.10.
    # What one process of a run compiled the others need not compile again: eager operations are compiled, too.
    "JAX_COMPILATION_CACHE_DIR": "{cache}/jax",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}

DEVICES_ENVIRONMENT: Mapping[str, str] = {**JAX_ENVIRONMENT, "JAX_NUM_CPU_DEVICES": "8"}
"""Of a process that has a CPU device for each of eight shards."""

Tree = Any
"""A pytree of JAX arrays."""

Apply = Callable[[Tree, Tree, Any, Any, bool], tuple[Any, Tree]]
"""`(parameters, statistics, x, mask, training)` to y and the statistics after it."""


def jax_copy(array: Array, dtype: Any = None) -> Any:
    """A JAX array of its own: `jnp.asarray` may share an aligned NumPy array's memory.

    `jnp.array` compiles a program for each new shape, which takes longer than all else here. So NumPy copies, and JAX
    takes the copy, wherever that is all that there is to do.
    """
    import jax
    import jax.numpy as jnp

    as_it_is = type(array) is np.ndarray and (dtype is None or array.dtype == dtype)
    if as_it_is and array.dtype == jax.dtypes.canonicalize_dtype(array.dtype):
        return jax.device_put(array.copy())
    return jnp.array(array, dtype)


def pulled_back(output: Callable[[Tree, Any], Any], parameters: Tree, x: Any, dy: Any) -> tuple[Tree, Any]:
    """Gradients of the parameters and of x."""
    import jax

    gradients: tuple[Tree, Any] = jax.vjp(output, parameters, x)[1](dy)
    return gradients


def pulled_back_twice(
    output: Callable[[Tree, Any], Any], parameters: Tree, x: Any, dy: Any, weights: tuple[Tree, Any]
) -> tuple[Tree, Any, Any]:
    """Gradients of the weighed gradients, of the parameters, x and dy."""
    import jax

    def gradients(parameters: Tree, x: Any, dy: Any) -> tuple[Tree, Any]:
        return pulled_back(output, parameters, x, dy)

    found: tuple[Tree, Any, Any] = jax.vjp(gradients, parameters, x, dy)[1](weights)
    return found


def weight_of(given: Array | None, gradient: Any) -> Any:
    """What a gradient is weighed with in the form in which JAX takes it: of its shape and dtype, zeros for None."""
    return jax_copy(np.zeros(gradient.shape) if given is None else given.reshape(gradient.shape), gradient.dtype)


@dataclass(frozen=True)
class Functions:
    """What layers of one configuration share: trees before training, and functions of them.

    Attributes:
        parameters: of a fresh layer.
        statistics: of a fresh layer.
        forward: as `Apply`.
        pullback: `(parameters, statistics, x, mask, dy, training)` to the gradients of the parameters and of x.
        second: `(parameters, statistics, x, mask, dy, weights, training)` to the gradients of `pulled_back_twice`.
    """

    parameters: Tree
    statistics: Tree
    forward: Apply
    pullback: Callable[..., tuple[Tree, Any]]
    second: Callable[..., tuple[Tree, Any, Any]]

    @classmethod
    def of(cls, apply: Apply, parameters: Tree, statistics: Tree, compiled: bool) -> Functions:
        """The functions that a forward makes, compiled or operation by operation."""
        import jax

        def output(statistics: Tree, mask: Any, training: bool) -> Callable[[Tree, Any], Any]:
            return lambda parameters, x: apply(parameters, statistics, x, mask, training)[0]

        def pullback(parameters: Tree, statistics: Tree, x: Any, mask: Any, dy: Any, training: bool) -> Any:
            return pulled_back(output(statistics, mask, training), parameters, x, dy)

        def second(parameters: Tree, statistics: Tree, x: Any, mask: Any, dy: Any, weights: Any, training: bool) -> Any:
            return pulled_back_twice(output(statistics, mask, training), parameters, x, dy, weights)

        if not compiled:
            return cls(parameters, statistics, apply, pullback, second)
        return cls(
            parameters,
            statistics,
            jax.jit(apply, static_argnums=4),
            jax.jit(pullback, static_argnums=5),
            jax.jit(second, static_argnums=6),
        )


class FunctionalLayer(Layer):
    """A layer over `Functions`; subclasses name its parameters and know its statistics.

    Its parameters are a mapping of names to arrays of C numbers in all, whatever their shape; `names` are those of
    gamma and beta.
    """

    names: tuple[str, str]

    def __init__(self, config: LayerConfig, functions: Functions) -> None:
        self.config, self.functions = config, functions
        self.parameters: Mapping[str, Any] = functions.parameters
        self.statistics: Tree = functions.statistics
        self.frozen = False
        self.latest: tuple[Any, ...] | None = None

    def forward(self, x: Array, training: bool) -> Array:
        return self._forward(x, None, training)

    def forward_masked(self, x: Array, mask: Array, training: bool) -> Array:
        return self._forward(x, jax_copy(mask), training)

    def _forward(self, x: Array, mask: Any, training: bool) -> Array:
        inputs = (self.parameters, self.statistics, jax_copy(x), mask, training and not self.frozen)
        self.latest = inputs  # of another thread, perhaps, before the next line begins
        y, self.statistics = self.functions.forward(*inputs)
        return np.asarray(y)

    def backward(self, dy: Array) -> Gradients:
        *inputs, training = self._inputs()
        found, dx = self.functions.pullback(*inputs, jax_copy(dy), training)
        return Gradients(np.asarray(dx), *(self._vector(found, name) for name in self.names))

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        *inputs, training = self._inputs()
        given = dict(zip(self.names, (v_dgamma, v_dbeta), strict=True))
        weights = {name: weight_of(given[name], old) for name, old in self._inputs()[0].items()}
        found, ds_dx, ds_ddy = self.functions.second(*inputs, jax_copy(dy), (weights, jax_copy(v_dx)), training)
        return SecondOrder(np.asarray(ds_dx), self._vector(found, self.names[0]), np.asarray(ds_ddy))

    def _inputs(self) -> tuple[Any, ...]:
        return recorded(self.latest)

    def _vector(self, tree: Mapping[str, Any], name: str) -> Array | None:
        return np.asarray(tree[name]).reshape(-1) if name in tree else None

    @abstractmethod
    def set_running_statistics(self, mean: Array, variance: Array) -> None: ...

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        given = dict(zip(self.names, (gamma, beta), strict=True))
        self.parameters = {
            name: old if given[name] is None else jax_copy(given[name].reshape(old.shape), old.dtype)  # type: ignore[union-attr]
            for name, old in self.parameters.items()
        }

    def freeze(self) -> None:
        self.frozen = True
