"""Any Flax module class, of nnx or of linen, judged without an adapter: a subclass of their BatchNorm, or one's own."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np

from bn_adapters.flax_linen import LinenLayer
from bn_adapters.flax_modules import FlaxNnx
from bn_adapters.flax_nnx import NnxLayer
from bn_adapters.jax_functions import JAX_ENVIRONMENT
from bn_adapters.wrappers.code import (
    Constructor,
    class_of,
    constructor,
    framework_class,
    is_or_makes,
)
from bn_adapters.wrappers.flax_class import class_adapter
from bn_adapters.wrappers.flax_making import FlaxClass, compute_in_formats_of, mode_of
from bn_adapters.wrappers.function_code import NOTHING_SAID
from bn_adapters.wrappers.reading.roles import AXIS, CONSTRUCTOR_NAMES, EPS, FORWARD_NAMES, MOMENTUM
from bn_adapters.wrappers.reading.roles import CHANNELS as CHANNEL_COUNT
from bn_adapters.wrappers.trial import CHANNELS, Ranks, adapter_class, convention_of, described, refusal_of, trial
from bn_conformance.adapter import Capabilities, Convention, Layer, LayerConfig
from bn_conformance.targets.said import Said
from bn_conformance.targets.wrappers import Wrapper

ARGUMENTS = (
    "a flax-module is built from (nnx only) the number of channels and rngs and, where it has them, axis, epsilon, "
    "momentum, use_scale, use_bias, dtype and param_dtype; say others: --argument NAME=VALUE"
)
STATE = "an nnx module has mean and var, scale and bias; a linen module batch_stats/mean and var, params/scale and bias"
KNOWN = {
    "eps": FORWARD_NAMES[EPS],
    "momentum": FORWARD_NAMES[MOMENTUM],
    "channels": CONSTRUCTOR_NAMES[CHANNEL_COUNT],
    "axis": CONSTRUCTOR_NAMES[AXIS],
    "gamma": ("use_scale", "scale"),
    "beta": ("use_bias", "center"),
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
    wide: ClassVar[bool]
    notes: ClassVar[tuple[str, ...]]

    def build(self, config: LayerConfig) -> Layer:
        compute_in_formats_of(self.wide)
        make = partial(_module, self.takes, self.convention)
        return type(self).layer(config, False, make, self.argument)

    def supports(self, config: LayerConfig) -> str | None:
        return None if self.capabilities.literals else self.takes.refusal(config, self.convention)


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


def adapter(code: str, said: Said = NOTHING_SAID) -> type[FlaxNnx]:
    """The adapter of a module class.

    Raises:
        TargetError: it is no module class, cannot be built, or lacks what a flax-module has.
    """
    import flax.linen
    from flax import nnx

    bases = nnx.Module | flax.linen.Module
    built, name = class_of(code, bases, "a flax.nnx.Module or flax.linen.Module class")
    linen = issubclass(built, flax.linen.Module)
    known = {role: (said.names[role],) if role in said.names else names for role, names in KNOWN.items()}
    takes = constructor(
        built, known | (OF_LINEN if linen else {}), "" if linen else "channels", ARGUMENTS, said.arguments
    )
    wide = bool({"param_dtype"} & set(takes.names) or (not linen and {"dtype"} & set(takes.names)))
    compute_in_formats_of(wide)
    if not issubclass(built, nnx.BatchNorm | flax.linen.BatchNorm):
        return class_adapter(FlaxClass(takes, linen, mode_of(built, said, linen)), name, wide, said)
    argument = "use_running_average"
    make = partial(_module, takes, FlaxNnx.convention)
    layer = LinenLayer if linen else NnxLayer
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
    how = f"{'linen' if linen else 'nnx'}, called with {argument}; built with {takes.described('channels', *KNOWN)}"
    values: dict[str, Any] = {f"default_{key}": takes.number(key) for key in ("eps", "momentum")}
    attributes = {
        "name": name,
        "convention": convention_of(name, FlaxNnx.convention, **values),
        "capabilities": capabilities,
        "takes": takes,
        "layer": layer,
        "argument": argument,
        "wide": wide,
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
    names=True,
)
