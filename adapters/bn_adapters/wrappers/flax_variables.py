"""Modules of Flax, of linen or of nnx, as pure functions of all that they hold; layers over them under any names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_adapters.jax_functions import FunctionalLayer, Functions, jax_copy
from bn_adapters.wrappers.reading.roles import BETA, GAMMA, MEAN, VARIANCE
from bn_conformance.adapter import Array, LayerConfig, RunningStatistics

Held = Mapping[str, Any]
"""Arrays by their paths in a module."""


@dataclass(frozen=True)
class PureModule:
    """A module without a state of its own.

    Attributes:
        parameters: what it trains, by path, as a fresh module has it.
        others: what else it holds.
        call: `(held, x, training)` to y and what it then holds.
    """

    parameters: Held
    others: Held
    call: Callable[[Held, Any, bool], tuple[Any, Held]]


def pure_linen(make: Callable[[bool], Any], told: Callable[[bool], Mapping[str, Any]], x: Any) -> PureModule:
    """A linen module.

    Args:
        make: makes it, in a mode.
        told: arguments of a call that say the mode.
        x: that it is initialised with.
    """
    import jax

    modules = {training: make(training) for training in (True, False)}
    variables = modules[True].init(jax.random.key(0), x, **told(True))
    names, leaves, tree = _leaves(variables)

    def call(held: Held, x: Any, training: bool) -> tuple[Any, Held]:
        given = jax.tree.unflatten(tree, [held[name] for name in names])
        moving = [collection for collection in given if collection != "params"] if training else []
        found = modules[training].apply(given, x, **told(training), mutable=moving or False)
        y, moved = found if moving else (found, {})
        return y, {**held, **dict(zip(*_leaves(dict(moved))[:2], strict=True))}

    fresh = dict(zip(names, leaves, strict=True))
    return PureModule(*_divided(fresh, lambda name: name.startswith("params/")), call)


def pure_nnx(module: Any, called: Callable[[Any, Any, bool], Any]) -> PureModule:
    """An nnx module.

    Args:
        module: a fresh one.
        called: calls a module in a mode.
    """
    import jax
    from flax import nnx

    graph, *states = nnx.split(module, nnx.Param, ...)
    parts = [_leaves(state) for state in states]

    def call(held: Held, x: Any, training: bool) -> tuple[Any, Held]:
        given = [jax.tree.unflatten(tree, [held[name] for name in names]) for names, _, tree in parts]
        own = nnx.merge(graph, *given, copy=True)
        y = called(own, x, training)
        after = [_leaves(state) for state in nnx.split(own, nnx.Param, ...)[1:]]
        return y, {name: leaf for names, leaves, _ in after for name, leaf in zip(names, leaves, strict=True)}

    found = [dict(zip(names, leaves, strict=True)) for names, leaves, _ in parts]
    return PureModule(found[0], found[1], call)


def _leaves(tree: Any) -> tuple[list[str], list[Any], Any]:
    """The paths of a tree's arrays, the arrays, and the form of the tree."""
    import jax

    found, form = jax.tree_util.tree_flatten_with_path(tree)
    names = [jax.tree_util.keystr(path, simple=True, separator="/").removesuffix("/value") for path, _ in found]
    return names, [leaf for _, leaf in found], form


def _divided(held: Held, first: Callable[[str], bool]) -> tuple[Held, Held]:
    return {name: held[name] for name in held if first(name)}, {name: held[name] for name in held if not first(name)}


class VariableLayer(FunctionalLayer):
    """A pure module behind the contract.

    Args:
        config: of the layer.
        module: it.
        names: the paths of gamma, beta and the statistics, by role.
    """

    names = (GAMMA, BETA)

    def __init__(self, config: LayerConfig, module: PureModule, names: Mapping[str, str]) -> None:
        self.paths = names
        held = {**module.parameters, **module.others}
        own = {role: names[role] for role in (GAMMA, BETA) if role in names}
        parameters = {role: held[path] for role, path in own.items()}
        statistics = {path: value for path, value in held.items() if path not in own.values()}

        def apply(parameters: Any, statistics: Any, x: Any, mask: Any, training: bool) -> tuple[Any, Any]:
            given = {**statistics, **{own[role]: value for role, value in parameters.items()}}
            y, after = module.call(given, x, training)
            return y, {path: after[path] for path in statistics}

        super().__init__(config, Functions.of(apply, parameters, statistics, False))

    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(*(self._statistic(role, start) for role, start in ((MEAN, 0.0), (VARIANCE, 1.0))))

    def _statistic(self, role: str, start: float) -> Array:
        if role not in self.paths:
            return np.full(self.config.num_channels, start, self.config.parameter_dtype)
        return np.array(self.statistics[self.paths[role]]).reshape(-1)

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        given = {self.paths[role]: value for role, value in ((MEAN, mean), (VARIANCE, variance)) if role in self.paths}
        shaped = {path: value.reshape(self.statistics[path].shape) for path, value in given.items()}
        self._put({path: jax_copy(value, self.statistics[path].dtype) for path, value in shaped.items()})

    def _put(self, changed: Held) -> None:
        self.statistics = {**self.statistics, **changed}

    def state(self) -> Mapping[str, Array]:
        import jax

        plain = {path: held for path, held in self.statistics.items() if not _is_key(jax, held)}
        own = {self.paths[role]: value for role, value in self.parameters.items()}
        return {path: np.array(value) for path, value in {**plain, **own}.items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        self.parameters = {role: jax_copy(state[self.paths[role]]) for role in self.parameters}
        self._put({path: jax_copy(state[path]) for path in self.statistics if path in state})


def _is_key(jax: Any, value: Any) -> bool:
    return bool(jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key))
