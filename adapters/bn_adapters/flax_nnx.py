"""Layers over modules of `flax.nnx`, called eagerly and compiled.

A module holds its variables and moves them. Gradients, of the first and the second order, are of a pure function: the
module as it was before its latest forward, merged anew from its graph and its states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from bn_adapters.flax_calls import masked, mode, options
from bn_adapters.jax_functions import jax_copy, pulled_back, pulled_back_twice, weight_of
from bn_adapters.recorded import recorded
from bn_conformance.adapter import Array, Gradients, Layer, LayerConfig, RunningStatistics, SecondOrder


@dataclass(frozen=True)
class _Nnx:
    """What nnx modules of one kind share, eager or compiled.

    Attributes:
        forward: `(module, x, training, mask)` to y; it moves the module's statistics.
        pullback: `(graph, parameters, statistics, x, dy, training, mask)` to the gradients of the parameters and of x.
        second: `(graph, parameters, statistics, x, dy, weights, training, mask)` to those of `pulled_back_twice`.
    """

    forward: Callable[..., Any]
    pullback: Callable[..., tuple[Any, Any]]
    second: Callable[..., tuple[Any, Any, Any]]


@cache
def _nnx(compiled: bool, argument: str = "use_running_average") -> _Nnx:
    """The functions of modules whose mode has a name.

    nnx keys what it compiles by the module's static attributes, so that equal configurations share it.
    """
    import jax
    from flax import nnx

    def forward(module: Any, x: Any, training: bool, mask: Any = None) -> Any:
        return module(x, **mode(argument, training), **masked(mask))

    def output(graph: Any, statistics: Any, training: bool, mask: Any) -> Callable[[Any, Any], Any]:
        return lambda parameters, x: forward(nnx.merge(graph, parameters, statistics, copy=True), x, training, mask)

    def pullback(
        graph: Any, parameters: Any, statistics: Any, x: Any, dy: Any, training: bool, mask: Any = None
    ) -> tuple[Any, Any]:
        return pulled_back(output(graph, statistics, training, mask), parameters, x, dy)

    def second(
        graph: Any, parameters: Any, statistics: Any, x: Any, dy: Any, weights: Any, training: bool, mask: Any = None
    ) -> tuple[Any, Any, Any]:
        return pulled_back_twice(output(graph, statistics, training, mask), parameters, x, dy, weights)

    if not compiled:
        return _Nnx(forward, pullback, second)
    return _Nnx(
        nnx.jit(forward, static_argnums=2),
        jax.jit(pullback, static_argnums=(0, 5)),
        jax.jit(second, static_argnums=(0, 6)),
    )


def nnx_batch_norm(config: LayerConfig) -> Any:
    """A `flax.nnx.BatchNorm`."""
    from flax import nnx

    return nnx.BatchNorm(config.num_channels, rngs=nnx.Rngs(0), **options(config))


def _vector(gradients: Mapping[str, Any], name: str) -> Array | None:
    return np.asarray(gradients[name]) if name in gradients else None


class NnxLayer(Layer):
    """An nnx module with scale, bias, mean and var behind the contract; `make` and `argument` as in `LinenLayer`."""

    def __init__(
        self,
        config: LayerConfig,
        compiled: bool,
        make: Callable[[LayerConfig], Any] = nnx_batch_norm,
        argument: str = "use_running_average",
    ) -> None:
        self._module: Any = make(config)
        self._shared = _nnx(compiled, argument)
        self._frozen = False
        self._latest: tuple[Any, ...] | None = None

    def forward(self, x: Array, training: bool) -> Array:
        return self._called(x, training, None)

    def forward_masked(self, x: Array, mask: Array, training: bool) -> Array:
        return self._called(x, training, jax_copy(mask))

    def _called(self, x: Array, training: bool, mask: Any) -> Array:
        import jax
        from flax import nnx

        training = training and not self._frozen
        graph, parameters, statistics = nnx.split(self._module, nnx.Param, ...)
        # A state shares its variables with the module: the map makes variables that do not move with it.
        parameters, statistics = jax.tree.map(lambda leaf: leaf, (parameters, statistics))
        tensor = jax_copy(x)
        self._latest = (graph, parameters, statistics, tensor, training, mask)
        return np.asarray(self._shared.forward(self._module, tensor, training, mask))

    def backward(self, dy: Array) -> Gradients:
        from flax import nnx

        *inputs, training, mask = self._inputs()
        found, dx = self._shared.pullback(*inputs, jax_copy(dy), training, mask)
        gradients = nnx.to_pure_dict(found)
        return Gradients(np.asarray(dx), _vector(gradients, "scale"), _vector(gradients, "bias"))

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        from flax import nnx

        *inputs, training, mask = self._inputs()
        given = {"scale": v_dgamma, "bias": v_dbeta}
        # A state like that of the parameters, as their gradients are one.
        weights = nnx.map_state(lambda path, old: old.replace(weight_of(given[path[-1]], old[...])), inputs[1])
        found, ds_dx, ds_ddy = self._shared.second(*inputs, jax_copy(dy), (weights, jax_copy(v_dx)), training, mask)
        return SecondOrder(np.asarray(ds_dx), _vector(nnx.to_pure_dict(found), "scale"), np.asarray(ds_ddy))

    def _inputs(self) -> tuple[Any, ...]:
        return recorded(self._latest)

    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(np.array(self._module.mean[...]), np.array(self._module.var[...]))

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self._assign({"mean": mean, "var": variance})

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        given = {"scale": gamma, "bias": beta}
        present = {name: value for name, value in given.items() if value is not None}
        self._assign({name: value for name, value in present.items() if getattr(self._module, name) is not None})

    def state(self) -> Mapping[str, Array]:
        from flax import nnx

        return {name: np.array(value) for name, value in nnx.to_pure_dict(nnx.state(self._module)).items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        self._assign(state)

    def freeze(self) -> None:
        self._frozen = True

    def _assign(self, values: Mapping[str, Array]) -> None:
        """Give variables new values, in the dtype that each was made with."""
        for name, value in values.items():
            variable = getattr(self._module, name)
            variable.set_value(jax_copy(value, variable[...].dtype))
