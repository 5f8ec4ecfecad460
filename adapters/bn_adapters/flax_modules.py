"""`flax.linen.BatchNorm` and `flax.nnx.BatchNorm`, called eagerly and compiled.

Compiled functions are kept by configuration, so that all layers of a configuration share what was compiled for a
shape. Gradients come from `jax.vjp`, which runs the forward again: a forward alone costs nothing extra.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

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

JAX_ENVIRONMENT: Mapping[str, str] = {
    "JAX_ENABLE_X64": "1",  # Else float64 arrays turn into float32 without an error.
    "JAX_PLATFORMS": "cpu",
    "NPROC": "1",  # Threads of XLA's CPU client; --xla_cpu_multi_thread_eigen=false changes nothing with jaxlib 0.10.
}


def _options(config: LayerConfig) -> dict[str, Any]:
    """Constructor arguments that linen and nnx share."""
    import jax.numpy as jnp

    options: dict[str, Any] = {
        "axis": config.channel_axis,
        "dtype": jnp.dtype(config.dtype),  # Without it the result takes the parameters' dtype, if that is wider.
        "param_dtype": jnp.dtype(config.parameter_dtype),
        "use_scale": config.gamma,
        "use_bias": config.beta,
    }
    if config.eps is not None:
        options["epsilon"] = config.eps
    if config.keep is not None:
        options["momentum"] = config.keep
    return options


def _copied(array: Array, dtype: Any = None) -> Any:
    """A JAX array of its own: `jnp.asarray` may share an aligned NumPy array's memory."""
    import jax.numpy as jnp

    return jnp.array(array, dtype)


def _gradients(dx: Any, parameters: Mapping[str, Any]) -> Gradients:
    scale, bias = parameters.get("scale"), parameters.get("bias")
    return Gradients(
        np.asarray(dx), None if scale is None else np.asarray(scale), None if bias is None else np.asarray(bias)
    )


@dataclass(frozen=True)
class _Linen:
    """What layers of one configuration share: variables before training, and functions of the variables.

    Attributes:
        initial: the collections `params` (absent without gamma and beta) and `batch_stats`.
        forward: `(variables, x, training, mask)` to y and the variables after it.
        pullback: `(variables, x, dy, training, mask)` to the gradients of `params` and of x.
    """

    initial: Mapping[str, Any]
    forward: Callable[..., tuple[Any, Any]]
    pullback: Callable[..., tuple[Any, Any]]


def mode(argument: str, training: bool) -> dict[str, bool]:
    """The keyword argument that says in which mode a module is called, under the name that the module has for it."""
    return {argument: not training if argument == "use_running_average" else training}


def _masked(mask: Any) -> dict[str, Any]:
    """The argument mask of a call, if there is one."""
    return {} if mask is None else {"mask": mask}


def linen_batch_norm(config: LayerConfig) -> Any:
    """A `flax.linen.BatchNorm`."""
    import flax.linen

    return flax.linen.BatchNorm(**_options(config))


@cache
def _linen(
    config: LayerConfig,
    compiled: bool,
    make: Callable[[LayerConfig], Any] = linen_batch_norm,
    argument: str = "use_running_average",
) -> _Linen:
    import jax
    import jax.numpy as jnp

    module = make(config)

    def forward(variables: Any, x: Any, training: bool, mask: Any = None) -> tuple[Any, Any]:
        if not training:
            return module.apply(variables, x, **mode(argument, False), **_masked(mask)), variables
        y, updated = module.apply(variables, x, **mode(argument, True), **_masked(mask), mutable=["batch_stats"])
        return y, {**variables, **updated}

    def pullback(variables: Any, x: Any, dy: Any, training: bool, mask: Any = None) -> tuple[Any, Any]:
        def output(parameters: Any, x: Any) -> Any:
            return forward({**variables, **parameters}, x, training, mask)[0]

        parameters = {name: collection for name, collection in variables.items() if name == "params"}
        dparameters, dx = jax.vjp(output, parameters, x)[1](dy)
        return dparameters.get("params", {}), dx

    shape = [config.num_channels if axis == config.channel_axis else 1 for axis in range(config.rank)]
    # Compiled, so that what initialisation computes of y is dropped.
    initialise = jax.jit(lambda key: module.init(key, jnp.zeros(shape, config.dtype), **mode(argument, True)))
    if compiled:
        forward = jax.jit(forward, static_argnums=2)
        pullback = jax.jit(pullback, static_argnums=3)
    return _Linen(initialise(jax.random.key(0)), forward, pullback)


class LinenLayer(Layer):
    """A linen module with params scale and bias and batch_stats mean and var, behind the contract.

    `module` is the function of the configuration that makes it, and the argument that says the mode (`mode`).
    """

    def __init__(self, config: LayerConfig, compiled: bool, *module: Any) -> None:
        self._config = config
        self._shared = _linen(config, compiled, *module)
        self._variables: Mapping[str, Any] = self._shared.initial
        self._frozen = False
        self._latest: tuple[Any, Any, bool, Any] | None = None

    def forward(self, x: Array, training: bool) -> Array:
        return self._called(x, training, None)

    def forward_masked(self, x: Array, mask: Array, training: bool) -> Array:
        return self._called(x, training, _copied(mask))

    def _called(self, x: Array, training: bool, mask: Any) -> Array:
        training = training and not self._frozen
        self._latest = (self._variables, _copied(x), training, mask)
        y, self._variables = self._shared.forward(*self._latest)
        return np.asarray(y)

    def backward(self, dy: Array) -> Gradients:
        if self._latest is None:
            raise RuntimeError("backward needs a forward before it")
        variables, x, training, mask = self._latest
        dparameters, dx = self._shared.pullback(variables, x, _copied(dy), training, mask)
        return _gradients(dx, dparameters)

    def running_statistics(self) -> RunningStatistics:
        statistics = self._variables["batch_stats"]
        return RunningStatistics(np.array(statistics["mean"]), np.array(statistics["var"]))

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        import jax.numpy as jnp

        # The dtype that training gives them, which a checkpoint holds: the first step turns float32 into float64.
        dtype = jnp.promote_types(self._config.dtype, jnp.float32)
        statistics = {"mean": _copied(mean, dtype), "var": _copied(variance, dtype)}
        self._variables = {**self._variables, "batch_stats": statistics}

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        given = {"scale": gamma, "bias": beta}
        params = dict(self._variables.get("params", {}))
        for name, old in params.items():
            if (new := given[name]) is not None:
                params[name] = _copied(new, old.dtype)
        if params:
            self._variables = {**self._variables, "params": params}

    def state(self) -> Mapping[str, Array]:
        from flax import serialization, traverse_util

        flat = traverse_util.flatten_dict(serialization.to_state_dict(self._variables), sep="/")
        return {name: np.array(value) for name, value in flat.items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        from flax import serialization, traverse_util

        nested = traverse_util.unflatten_dict({name: _copied(value) for name, value in state.items()}, sep="/")
        self._variables = serialization.from_state_dict(self._variables, nested)

    def freeze(self) -> None:
        self._frozen = True


@cache
def _nnx(compiled: bool, argument: str = "use_running_average") -> tuple[Callable[..., Any], Callable[..., Any]]:
    """`forward(module, x, training)`, which moves the module's statistics, and the pullback of its state.

    nnx keys what it compiles by the module's static attributes, so that equal configurations share it.
    """
    import jax
    from flax import nnx

    def forward(module: Any, x: Any, training: bool, mask: Any = None) -> Any:
        return module(x, **mode(argument, training), **_masked(mask))

    def pullback(
        graph: Any, parameters: Any, statistics: Any, x: Any, dy: Any, training: bool, mask: Any = None
    ) -> Any:
        def output(parameters: Any, x: Any) -> Any:
            return forward(nnx.merge(graph, parameters, statistics, copy=True), x, training, mask)

        return jax.vjp(output, parameters, x)[1](dy)

    if compiled:
        return nnx.jit(forward, static_argnums=2), jax.jit(pullback, static_argnums=(0, 5))
    return forward, pullback


def nnx_batch_norm(config: LayerConfig) -> Any:
    """A `flax.nnx.BatchNorm`."""
    from flax import nnx

    return nnx.BatchNorm(config.num_channels, rngs=nnx.Rngs(0), **_options(config))


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
        self._forward, self._pullback = _nnx(compiled, argument)
        self._frozen = False
        self._latest: tuple[Any, ...] | None = None

    def forward(self, x: Array, training: bool) -> Array:
        return self._called(x, training, None)

    def forward_masked(self, x: Array, mask: Array, training: bool) -> Array:
        return self._called(x, training, _copied(mask))

    def _called(self, x: Array, training: bool, mask: Any) -> Array:
        import jax
        from flax import nnx

        training = training and not self._frozen
        graph, parameters, statistics = nnx.split(self._module, nnx.Param, ...)
        # A state shares its variables with the module: the map makes variables that do not move with it.
        parameters, statistics = jax.tree.map(lambda leaf: leaf, (parameters, statistics))
        tensor = _copied(x)
        self._latest = (graph, parameters, statistics, tensor, training, mask)
        return np.asarray(self._forward(self._module, tensor, training, mask))

    def backward(self, dy: Array) -> Gradients:
        from flax import nnx

        if self._latest is None:
            raise RuntimeError("backward needs a forward before it")
        *inputs, training, mask = self._latest
        dparameters, dx = self._pullback(*inputs, _copied(dy), training, mask)
        return _gradients(dx, nnx.to_pure_dict(dparameters))

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
            variable.set_value(_copied(value, variable[...].dtype))


class _Flax(Adapter):
    framework = "jax"
    environment = JAX_ENVIRONMENT
    requires = ("jax", "flax")
    install = "pip install 'bnconform[jax]'"
    capabilities = Capabilities(
        dtypes=frozenset({"float16", "bfloat16", "float32", "float64"}),
        mixed=frozenset({("float16", "float32"), ("bfloat16", "float32")}),
        layouts=frozenset({"first", "last", "between"}),
        affine=frozenset({"both", "none", "gamma", "beta"}),
        freeze=True,
        compiles=True,
        masks=True,
    )
    convention = Convention(
        running_variance="biased",
        momentum_weighs="old",
        default_momentum=0.99,
        default_eps=1e-5,
        statistics_dtype="float32",
    )
    compiled = False

    def versions(self) -> Mapping[str, str]:
        from importlib.metadata import version

        return {name: version(name) for name in ("flax", "jax", "jaxlib")}


class FlaxLinen(_Flax):
    """`flax.linen.BatchNorm`, each operation compiled on its own."""

    name = "flax.linen"

    def build(self, config: LayerConfig) -> Layer:
        return LinenLayer(config, self.compiled)


class FlaxLinenJit(FlaxLinen):
    """`flax.linen.BatchNorm` under `jax.jit`."""

    name = "flax.linen[jit]"
    compiled = True


class FlaxNnx(_Flax):
    """`flax.nnx.BatchNorm`, each operation compiled on its own."""

    name = "flax.nnx"

    def build(self, config: LayerConfig) -> Layer:
        return NnxLayer(config, self.compiled)


class FlaxNnxJit(FlaxNnx):
    """`flax.nnx.BatchNorm` under `nnx.jit`."""

    name = "flax.nnx[jit]"
    compiled = True
