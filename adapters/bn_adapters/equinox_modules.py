"""`equinox.nn.BatchNorm` with `mode="batch"` and with `mode="ema"`, under `jax.vmap` over axis 0 and `jax.jit`.

With `mode="batch"` the layer keeps hidden averages and the number of steps; inference divides the hidden ones by
1 - momentum ** steps (by 1 before any step), and that quotient, as `BatchNorm.__call__` writes it, is what this adapter
reads. JAX stays in 32 bits: with 64, the integer counter makes the quotient, and y in inference, float64 whatever x is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from bn_adapters.equinox_code import EquinoxCode
from bn_adapters.jax_functions import JAX_ENVIRONMENT, FunctionalLayer, Functions, jax_copy
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

DEFAULT_MOMENTUM = 0.99
"""Of `equinox.nn.BatchNorm`."""

INDICES = {
    "batch": {"counter": "batch_counter", "averages": "batch_state_index"},
    "ema": {"first": "ema_first_time_index", "averages": "ema_state_index"},
}
"""By the mode: what its layer keeps, and the attribute that says where in the state."""


def _module(config: LayerConfig, mode: str) -> tuple[Any, Any]:
    """The layer, and its state before training."""
    import equinox

    options: dict[str, Any] = {}
    if config.eps is not None:
        options["eps"] = config.eps
    if config.keep is not None:
        options["momentum"] = config.keep
    made: tuple[Any, Any] = equinox.nn.make_with_state(equinox.nn.BatchNorm)(
        config.num_channels,
        axis_name="batch",
        mode=mode,
        channelwise_affine=config.gamma,
        dtype=config.dtype,
        **options,
    )
    return made


def _called(module: Any, parameters: Any, x: Any, state: Any, training: bool) -> tuple[Any, Any]:
    """y and the state after it, of the layer with these parameters."""
    import equinox
    import jax

    layer = module
    if parameters:
        given = (parameters["weight"], parameters["bias"])
        layer = equinox.tree_at(lambda tree: (tree.weight, tree.bias), module, given)
    run = jax.vmap(
        lambda x, state: layer(x, state, inference=not training),
        axis_name="batch",
        in_axes=(0, None),
        out_axes=(0, None),
    )
    found: tuple[Any, Any] = run(x, state)
    return found


@cache
def _functions(config: LayerConfig, mode: str) -> Functions:
    import jax

    module, initial = _module(config, mode)
    indices = {name: getattr(module, attribute) for name, attribute in INDICES[mode].items()}

    def kept(state: Any) -> dict[str, Any]:
        found = {name: state.get(index) for name, index in indices.items()}
        mean, variance = found.pop("averages")
        return {**found, "mean": mean, "variance": variance}

    def apply(parameters: Any, statistics: Any, x: Any, mask: Any, training: bool) -> tuple[Any, Any]:
        state = jax.tree.map(lambda leaf: leaf, initial)  # setting makes a State unusable, and this one is shared
        given = {**statistics, "averages": (statistics["mean"], statistics["variance"])}
        for name, index in indices.items():
            state = state.set(index, given[name])
        y, state = _called(module, parameters, x, state, training)
        return y, kept(state)

    parameters = {"weight": module.weight, "bias": module.bias} if config.gamma else {}
    return Functions.of(apply, parameters, kept(initial), compiled=True)


@cache
def _weight(momentum: float) -> Callable[[Any], Any]:
    """What inference divides hidden averages by, from the number of steps."""
    import jax
    import jax.numpy as jnp

    # Compiled, as it is in the layer: outside of jit JAX compiles a power anew for every exponent.
    return jax.jit(lambda counter: jnp.where(counter == 0, 1, 1 - momentum**counter))


class _EquinoxLayer(FunctionalLayer):
    """The layer of a mode; its averages are what inference uses."""

    names = ("weight", "bias")

    def __init__(self, config: LayerConfig, mode: str) -> None:
        super().__init__(config, _functions(config, mode))

    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(*(np.array(self.statistics[name]) for name in ("mean", "variance")))

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self.statistics = {**self.statistics, "mean": jax_copy(mean), "variance": jax_copy(variance)}

    def state(self) -> Mapping[str, Array]:
        return {name: np.array(value) for name, value in {**self.parameters, **self.statistics}.items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        self.parameters = {name: jax_copy(state[name]) for name in self.parameters}
        self.statistics = {name: jax_copy(state[name]) for name in self.statistics}


class _DebiasedLayer(_EquinoxLayer):
    """The layer of `mode="batch"`, which keeps hidden averages."""

    def __init__(self, config: LayerConfig) -> None:
        super().__init__(config, "batch")
        self._weight = _weight(DEFAULT_MOMENTUM if config.keep is None else config.keep)

    def running_statistics(self) -> RunningStatistics:
        weight = self._weight(self.statistics["counter"])
        return RunningStatistics(*(np.array(self.statistics[name] / weight) for name in ("mean", "variance")))

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        weight = self._weight(self.statistics["counter"])
        hidden = {name: jax_copy(given) * weight for name, given in (("mean", mean), ("variance", variance))}
        self.statistics = {**self.statistics, **hidden}

    def load_state(self, state: Mapping[str, Array]) -> None:
        super().load_state(state)
        counter = jax_copy(int(state["counter"]))  # type: ignore[arg-type] # as the layer made it: weakly typed
        self.statistics = {**self.statistics, "counter": counter}


class EquinoxBatch(Adapter):
    """`equinox.nn.BatchNorm(mode="batch")` under `jax.vmap` and `jax.jit`."""

    name = "equinox[batch]"
    framework = "equinox"
    environment = {**JAX_ENVIRONMENT, "JAX_ENABLE_X64": "0"}  # noqa: RUF012 - declared in the contract
    requires = ("jax", "equinox")
    install = "pip install 'bnconform[equinox]'"
    distributions = ("equinox", "jax", "jaxlib")
    # equinox/nn/_batch_norm.py: a biased variance, whose hidden average starts at 1 and is debiased in inference.
    convention = Convention(
        running_variance="biased",
        momentum_weighs="old",
        default_momentum=DEFAULT_MOMENTUM,
        default_eps=1e-5,
        debiasing="zero-debias",
    )
    capabilities = Capabilities(
        dtypes=frozenset({"float32"}),
        freeze=True,
        compiles=True,
        second_order=frozenset({"training", "inference"}),
    )

    def build(self, config: LayerConfig) -> Layer:
        return _DebiasedLayer(config)

    def code(self, config: LayerConfig) -> LayerCode:
        return EquinoxCode(config, "batch")

    def supports(self, config: LayerConfig) -> str | None:
        if config.momentum in (0.0, 1.0):
            return "the momentum of equinox.nn.BatchNorm is documented as between 0 and 1 exclusive"
        return None


class EquinoxEma(EquinoxBatch):
    """`equinox.nn.BatchNorm(mode="ema")`, in inference.

    In training it normalises by the moving averages, the batch included: that is a relative of batch normalisation.
    """

    name = "equinox[ema]"
    group = "more"
    # The averages start as `jnp.empty`, which JAX fills with zeros, and the first batch replaces them.
    convention = replace(EquinoxBatch.convention, debiasing="first-batch", initial_running_variance=0.0)
    capabilities = replace(
        EquinoxBatch.capabilities,
        modes=frozenset({"inference"}),
        gradients=frozenset({"inference"}),
        second_order=frozenset({"inference"}),
        freeze=False,
    )

    def build(self, config: LayerConfig) -> Layer:
        return _EquinoxLayer(config, "ema")

    def code(self, config: LayerConfig) -> LayerCode:
        return EquinoxCode(config, "ema")
