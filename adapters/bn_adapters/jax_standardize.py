"""`jax.nn.standardize`, by either of its algorithms, and the layer of `jax.example_libraries.stax` that calls it.

Both normalise by the batch they are given. They keep no running statistics, so there is no inference, and no momentum.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from bn_adapters.jax_functions import JAX_ENVIRONMENT, FunctionalLayer, Functions
from bn_adapters.jax_standardize_code import StandardizeCode
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


@cache
def _standardized(config: LayerConfig, algorithm: str) -> Functions:
    """gamma * standardize(x) + beta; the algorithm is an argument since jax 0.10, and empty leaves it out."""
    import jax
    import jax.numpy as jnp

    given: dict[str, Any] = {"axis": config.reduced_axes} | ({"algorithm": algorithm} if algorithm else {})
    if config.eps is not None:
        given["epsilon"] = config.eps
    shape = [-1 if axis == config.channel_axis else 1 for axis in range(config.rank)]

    def apply(parameters: Any, statistics: Any, x: Any, mask: Any, training: bool) -> tuple[Any, Any]:
        y = jax.nn.standardize(x, **given)
        y = y * parameters["gamma"].reshape(shape) if config.gamma else y
        return (y + parameters["beta"].reshape(shape) if config.beta else y), statistics

    makes = {"gamma": jnp.ones, "beta": jnp.zeros}
    parameters = {
        name: make(config.num_channels, config.parameter_dtype) for name, make in makes.items() if getattr(config, name)
    }
    return Functions.of(apply, parameters, {}, compiled=True)


@cache
def _stax(config: LayerConfig) -> Functions:
    """`stax.BatchNorm`, whose parameters are the pair of beta and gamma, empty tuples where absent."""
    import jax
    from jax.example_libraries import stax

    given = {} if config.eps is None else {"epsilon": config.eps}
    make, run = stax.BatchNorm(axis=config.reduced_axes, center=config.beta, scale=config.gamma, **given)
    shape = tuple(config.num_channels if axis == config.channel_axis else 1 for axis in range(config.rank))
    beta, gamma = make(jax.random.key(0), shape)[1]
    vectors = {"gamma": gamma, "beta": beta}

    def apply(parameters: Any, statistics: Any, x: Any, mask: Any, training: bool) -> tuple[Any, Any]:
        return run((parameters.get("beta", ()), parameters.get("gamma", ())), x), statistics

    present = {name: vector.astype(config.parameter_dtype) for name, vector in vectors.items() if getattr(config, name)}
    return Functions.of(apply, present, {}, compiled=True)


class _StatelessLayer(FunctionalLayer):
    """A layer that keeps nothing but gamma and beta."""

    names = ("gamma", "beta")

    def running_statistics(self) -> RunningStatistics:
        channels = self.config.num_channels
        return RunningStatistics(np.zeros(channels, np.float32), np.ones(channels, np.float32))

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        raise NotImplementedError("there are no running statistics")

    def state(self) -> Mapping[str, Array]:
        return {name: np.array(value) for name, value in self.parameters.items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        self.set_parameters(*(np.asarray(state[name]) if name in state else None for name in self.names))


class JaxStandardize(Adapter):
    """`jax.nn.standardize` with its default algorithm, times gamma, plus beta, under `jax.jit`."""

    name = "jax.nn.standardize"
    group = "more"
    framework = "jax"
    environment = JAX_ENVIRONMENT
    requires = ("jax",)
    install = "pip install 'bnconform[jax]'"
    distributions = ("jax", "jaxlib")
    convention = Convention(default_momentum=None, default_eps=1e-5)  # epsilon: jax/_src/nn/functions.py
    capabilities = Capabilities(
        layouts=frozenset({"first", "last", "between"}),
        affine=frozenset({"both", "none", "gamma", "beta"}),
        modes=frozenset({"training"}),
        gradients=frozenset({"training"}),
        second_order=frozenset({"training"}),
        statistics=False,
        set_statistics=False,
        compiles=True,
    )
    algorithm = ""

    def build(self, config: LayerConfig) -> Layer:
        return _StatelessLayer(config, _standardized(config, self.algorithm))

    def code(self, config: LayerConfig) -> LayerCode:
        return StandardizeCode(config, self.algorithm)


class JaxStandardizeStable(JaxStandardize):
    """`jax.nn.standardize(algorithm="stable")`, which computes the variance in two passes."""

    name = "jax.nn.standardize[stable]"
    algorithm = "stable"


class Stax(JaxStandardize):
    """`jax.example_libraries.stax.BatchNorm`."""

    name = "stax"

    def build(self, config: LayerConfig) -> Layer:
        return _StatelessLayer(config, _stax(config))

    def code(self, config: LayerConfig) -> LayerCode:
        return StandardizeCode(config, "", stax=True)
