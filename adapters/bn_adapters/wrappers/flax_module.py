"""Any Flax module class, of nnx or of linen, with the variables of their BatchNorm, judged without an adapter."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any, ClassVar

import numpy as np

from bn_adapters.flax_linen import LinenLayer
from bn_adapters.flax_modules import FlaxNnx
from bn_adapters.flax_nnx import NnxLayer
from bn_adapters.jax_functions import JAX_ENVIRONMENT
from bn_adapters.wrappers.code import Constructor, class_of, constructor, framework_class, is_or_makes
from bn_adapters.wrappers.trial import CHANNELS, Ranks, adapter_class, convention_of, described, refusal_of, trial
from bn_conformance.adapter import Capabilities, Convention, Layer, LayerConfig
from bn_conformance.targets.naming import TargetError
from bn_conformance.targets.wrappers import Wrapper

ARGUMENTS = (
    "a flax-module is built from (nnx only) the number of channels and rngs and, where it has them, axis, epsilon, "
    "momentum, use_scale, use_bias, dtype and param_dtype"
)
STATE = "an nnx module has mean and var, scale and bias; a linen module batch_stats/mean and var, params/scale and bias"
KNOWN = {
    "eps": ("epsilon", "eps"),
    "momentum": ("momentum",),
    "axis": ("axis",),
    "gamma": ("use_scale",),
    "beta": ("use_bias",),
    "dtype": ("dtype",),
    "param_dtype": ("param_dtype",),
    "rngs": ("rngs",),
}
"""What the suite calls an argument of the constructor, to the names that it may have."""

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

    chosen = takes.chosen(config, convention) | {
        "axis": config.channel_axis,
        "gamma": config.gamma,
        "beta": config.beta,
        "dtype": jnp.dtype(config.dtype),
        "param_dtype": jnp.dtype(config.parameter_dtype),
    }
    if "rngs" in takes.names:
        from flax import nnx

        chosen["rngs"] = nnx.Rngs(0)
    channels = (config.num_channels,) if "channels" in takes.names else ()
    return takes.built(*channels, **takes.arguments(**chosen))


def adapter(code: str) -> type[FlaxNnx]:
    """The adapter of a module class.

    Raises:
        TargetError: it is no module class, cannot be built, or lacks what a flax-module has.
    """
    import flax.linen
    import jax
    from flax import nnx

    bases = nnx.Module | flax.linen.Module
    built, name = class_of(code, bases, "a flax.nnx.Module or flax.linen.Module class")
    linen = issubclass(built, flax.linen.Module)
    takes = constructor(built, KNOWN | (OF_LINEN if linen else {}), "" if linen else "channels", ARGUMENTS)
    if not linen and "channels" not in takes.names:
        raise TargetError(f"{name} takes no number of channels; {ARGUMENTS}")
    called = inspect.signature(built.__call__).parameters
    argument = next((mode for mode in MODES if mode in called), None)
    if argument is None:
        raise TargetError(f"{name}.__call__ has none of the arguments {', '.join(MODES)}, which say the mode")
    wide = {"dtype", "param_dtype"} & set(takes.names)
    if not wide:  # its formats are what JAX makes of a float, which is float32 where 64 bits are not asked for
        jax.config.update("jax_enable_x64", False)
    layer = LinenLayer if linen else NnxLayer
    make = partial(_module, takes, FlaxNnx.convention)
    ranks = Ranks.tried(
        lambda rank: _refusal(layer, make, argument, rank, rank - 1), name, f"(N, ..., {CHANNELS})", hint=STATE
    )
    layouts, tallest = {"last"}, max(ranks.taken)
    if "axis" in takes.names and tallest > 3:
        for layout, axis in (("first", 1), ("between", 2)):
            if _refusal(layer, make, argument, tallest, axis) is None:
                layouts.add(layout)
    switches = {"gamma", "beta"} <= set(takes.names)
    capabilities = Capabilities(
        dtypes=frozenset({"float32", "float64"} if wide else {"float32"}),
        ranks=frozenset(ranks.taken),
        layouts=frozenset(layouts),  # type: ignore[arg-type]
        affine=frozenset({"both", "none", "gamma", "beta"} if switches else {"both"}),
        freeze=True,
        compiles=True,
    )
    values: dict[str, Any] = {f"default_{key}": takes.number(key) for key in ("eps", "momentum")}
    if not issubclass(built, nnx.BatchNorm | flax.linen.BatchNorm):
        values["statistics_dtype"] = "parameter"
    how = f"{'linen' if linen else 'nnx'}, called with {argument}; built with {takes.described('channels', *KNOWN)}"
    attributes = {
        "name": name,
        "convention": convention_of(name, FlaxNnx.convention, **values),
        "capabilities": capabilities,
        "takes": takes,
        "layer": layer,
        "argument": argument,
        "notes": (how, described(capabilities), str(ranks)),
    }
    return adapter_class(built.__name__, (_FlaxCode,), attributes)


def _refusal(layer: Any, make: Any, argument: str, rank: int, axis: int) -> str | None:
    """Why a module does not take an x of a rank with its channels on an axis; None where it does."""
    config = LayerConfig(num_channels=CHANNELS, rank=rank, channel_axis=axis)
    x, vector = trial(rank, axis), np.ones(CHANNELS, np.float32)

    def shapes() -> list[tuple[int, ...]]:
        made = layer(config, False, make, argument)
        made.set_parameters(vector, vector)
        outputs = [np.shape(made.forward(x, training)) for training in (True, False)]
        statistics = [np.shape(statistic) for statistic in made.running_statistics()]
        return outputs + [(*x.shape[:axis], *shape, *x.shape[axis + 1 :]) for shape in statistics]

    return refusal_of(x, shapes, "y or a statistic")


def _recognises(thing: object) -> bool:
    return any(is_or_makes(thing, framework_class(module, "Module")) for module in ("flax.linen", "flax.nnx"))


WRAPPER = Wrapper(
    expects="a flax.nnx.Module or flax.linen.Module class",
    adapter=adapter,
    requires=("jax", "flax"),
    install="pip install 'bnconform[jax]'",
    environment=lambda: JAX_ENVIRONMENT,
    recognises=_recognises,
)
