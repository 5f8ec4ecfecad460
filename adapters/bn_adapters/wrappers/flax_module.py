"""Any Flax module class, of nnx or of linen, with the variables of their BatchNorm, judged without an adapter."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from bn_adapters.flax_linen import LinenLayer
from bn_adapters.flax_modules import FlaxNnx
from bn_adapters.flax_nnx import NnxLayer
from bn_adapters.jax_functions import JAX_ENVIRONMENT
from bn_adapters.wrappers.code import CHANNELS, Constructor, class_of, constructor, one_line, trial
from bn_conformance.adapter import Capabilities, Convention, Layer, LayerConfig
from bn_conformance.targets.naming import TargetError
from bn_conformance.targets.wrappers import Wrapper

ARGUMENTS = (
    "a flax-module is built from (nnx only) the number of channels and rngs and, where it has them, axis, epsilon, "
    "momentum, use_scale, use_bias, dtype and param_dtype"
)
STATE = "an nnx module has mean and var, scale and bias; a linen module batch_stats/mean and var, params/scale and bias"
KNOWN = {"eps": ("epsilon", "eps"), "momentum": ("momentum",), "axis": ("axis",), "gamma": ("use_scale",),
         "beta": ("use_bias",), "dtype": ("dtype",), "param_dtype": ("param_dtype",), "rngs": ("rngs",)}  # fmt: skip
OF_LINEN = {"parent": ("parent",), "name": ("name",)}
MODES = ("use_running_average", "train", "training")


class _FlaxCode(FlaxNnx):
    """What the adapters of modules share; `adapter` makes a subclass for a class."""

    framework = ""  # a process of its own: `adapter` may change how JAX is configured
    takes: ClassVar[Constructor]
    layer: ClassVar[type[NnxLayer] | type[LinenLayer]]
    argument: ClassVar[str]
    notes: ClassVar[tuple[str, ...]]

    def build(self, config: LayerConfig) -> Layer:
        make = partial(_module, self.takes, self.convention)
        return type(self).layer(config, False, make, self.argument)

    def supports(self, config: LayerConfig) -> str | None:
        return self.takes.refusal(config, self.convention)


def _module(takes: Constructor, convention: Convention, config: LayerConfig) -> Any:
    """A fresh module."""
    import jax.numpy as jnp

    chosen = takes.chosen(config, convention) | {"rngs": None}
    if "rngs" in takes.names:
        from flax import nnx

        chosen["rngs"] = nnx.Rngs(0)
    arguments = takes.arguments(
        axis=config.channel_axis, gamma=config.gamma, beta=config.beta, dtype=jnp.dtype(config.dtype),
        param_dtype=jnp.dtype(config.parameter_dtype), **chosen,
    )  # fmt: skip
    return takes.built(config.num_channels, **arguments) if "channels" in takes.names else takes.built(**arguments)


def adapter(code: str) -> type[FlaxNnx]:
    """The adapter of a module class.

    Raises:
        TargetError: it is no module class, cannot be built, or lacks what a flax-module has.
    """
    import flax.linen
    import jax
    from flax import nnx

    built, name = class_of(
        code,
        lambda one: issubclass(one, nnx.Module | flax.linen.Module),
        "a flax.nnx.Module or flax.linen.Module class",
    )
    linen = issubclass(built, flax.linen.Module)
    takes = constructor(built, KNOWN | (OF_LINEN if linen else {}), "" if linen else "channels", ARGUMENTS)
    if not linen and "channels" not in takes.names:
        raise TargetError(f"{name} takes no number of channels; {ARGUMENTS}")
    called = inspect.signature(built.__call__).parameters
    argument = next((one for one in MODES if one in called), None)
    if argument is None:
        raise TargetError(f"{name}.__call__ has none of the arguments {', '.join(MODES)}, which say the mode")
    wide = {"dtype", "param_dtype"} & set(takes.names)
    if not wide:  # its formats are what JAX makes of a float, which is float32 where 64 bits are not asked for
        jax.config.update("jax_enable_x64", False)
    layer = LinenLayer if linen else NnxLayer
    make = partial(_module, takes, FlaxNnx.convention)
    ranks, refused = _ranks(layer, make, argument, name)
    layouts = {"last"}
    if "axis" in takes.names and max(ranks) > 3:
        layouts |= {place for place, axis in (("first", 1), ("between", 2))
                    if _refusal(layer, make, argument, max(ranks), axis) is None}  # fmt: skip
    switches = {"gamma", "beta"} <= set(takes.names)
    capabilities = Capabilities(
        dtypes=frozenset({"float32", "float64"} if wide else {"float32"}),
        ranks=frozenset(ranks),
        layouts=frozenset(layouts),  # type: ignore[arg-type]
        affine=frozenset({"both", "none", "gamma", "beta"} if switches else {"both"}),
        freeze=True,
        compiles=True,
    )
    defaults = {f"default_{key}": takes.number(key) for key in ("eps", "momentum")}
    try:
        own = issubclass(built, nnx.BatchNorm | flax.linen.BatchNorm)
        kept = {} if own else {"statistics_dtype": "parameter"}
        convention = replace(FlaxNnx.convention, **defaults, **kept)  # type: ignore[arg-type]
    except ValueError as error:
        raise TargetError(f"{name}: {error}") from None
    where = f"channels {' and '.join(sorted(layouts))}"
    notes = (
        f"{'linen' if linen else 'nnx'}, called with {argument}; built with {takes.described('channels', *KNOWN)}",
        f"gamma and beta: {', '.join(sorted(capabilities.affine))}; "
        f"formats {' and '.join(sorted(capabilities.dtypes))}; {where}",
        f"x of rank {', '.join(map(str, ranks))}" + "".join(f"; not {rank} ({why})" for rank, why in refused.items()),
    )
    attributes: Mapping[str, Any] = {
        "name": name, "convention": convention, "capabilities": capabilities, "takes": takes, "layer": layer,
        "argument": argument, "notes": notes, "__module__": __name__,
    }  # fmt: skip
    return type(built.__name__, (_FlaxCode,), dict(attributes))


def _ranks(layer: Any, make: Any, argument: str, name: str) -> tuple[list[int], dict[int, str]]:
    """Ranks of x that a module takes with its channels last, and why not the others."""
    refused = {
        rank: why for rank in (2, 3, 4, 5) if (why := _refusal(layer, make, argument, rank, rank - 1)) is not None
    }
    ranks = [rank for rank in (2, 3, 4, 5) if rank not in refused]
    if not ranks:
        raise TargetError(f"{name} takes no x of shape (N, ..., {CHANNELS}): {next(iter(refused.values()))}; {STATE}")
    return ranks, refused


def _refusal(layer: Any, make: Any, argument: str, rank: int, axis: int) -> str | None:
    """None where a module takes an x of a rank with its channels on an axis, else why it does not."""
    config = LayerConfig(num_channels=CHANNELS, rank=rank, channel_axis=axis)
    x, vector = trial(rank, axis), np.ones(CHANNELS, np.float32)
    try:
        made = layer(config, False, make, argument)
        made.set_parameters(vector, vector)
        shapes = [np.shape(made.forward(x, training)) for training in (True, False)]
        shapes += [(*x.shape[:axis], *np.shape(one), *x.shape[axis + 1 :]) for one in made.running_statistics()]
    except Exception as error:
        return one_line(error)
    wrong = [shape for shape in shapes if shape != x.shape]
    return f"y or a statistic has shape {wrong[0]} for x of {x.shape}" if wrong else None


WRAPPER = Wrapper(
    expects="a flax.nnx.Module or flax.linen.Module class",
    adapter=adapter,
    requires=("jax", "flax"),
    install="pip install 'bnconform[jax]'",
    environment=lambda: JAX_ENVIRONMENT,
)
