"""Any Flax module class, of nnx or of linen, with the variables of their BatchNorm, judged without an adapter."""

from __future__ import annotations

import inspect
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from bn_adapters.flax_calls import mode
from bn_adapters.flax_linen import LinenLayer
from bn_adapters.flax_modules import FlaxNnx
from bn_adapters.flax_nnx import NnxLayer
from bn_adapters.jax_functions import JAX_ENVIRONMENT
from bn_adapters.wrappers.code import (
    Constructor,
    class_of,
    constructor,
    error_line,
    framework_class,
    is_or_makes,
)
from bn_adapters.wrappers.layer_literals import layer_literals
from bn_adapters.wrappers.reading.roles import BETA, EPS, FORWARD_NAMES, GAMMA, MEAN, MOMENTUM, VARIANCE, role_named
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
    "eps": FORWARD_NAMES[EPS],
    "momentum": FORWARD_NAMES[MOMENTUM],
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
    wide = {"param_dtype"} & set(takes.names) or (not linen and {"dtype"} & set(takes.names))
    if not wide:  # its parameters are float32, so that 64 bits would be the harness's doing and not the class's
        jax.config.update("jax_enable_x64", False)
    make = partial(_module, takes, FlaxNnx.convention)
    layer, places = _linen_layer(make, argument, name) if linen else (NnxLayer, "")
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
    if literals := frozenset({"eps", "momentum"} - set(takes.names)):
        capabilities = replace(capabilities, literals=literals)  # type: ignore[arg-type]
        rank = min(ranks.taken)
        values |= layer_literals(
            lambda rank, axis: layer(_usual(rank, axis), False, make, argument),
            literals,
            (rank, rank - 1),
            {GAMMA: True, BETA: True},
        )
        how += "; literals in its code: " + ", ".join(f"{key} {values[f'default_{key}']}" for key in sorted(literals))
    if not issubclass(built, nnx.BatchNorm | flax.linen.BatchNorm):
        values["statistics_dtype"] = "parameter"
    how += places
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


def _linen_layer(make: Any, argument: str, name: str) -> tuple[type[LinenLayer], str]:
    """A layer that knows where a linen class has its parameters and statistics, and what to say of that.

    Raises:
        TargetError: it has no running mean and variance, or a parameter that is neither gamma nor beta.
    """
    import jax
    import jax.numpy as jnp

    for rank in (4, 2, 3, 5):
        config = LayerConfig(num_channels=CHANNELS, rank=rank, channel_axis=rank - 1)
        x = jnp.asarray(trial(rank, rank - 1))
        try:
            variables = dict(jax.eval_shape(_initialised(make, config, argument), x))
        except Exception as error:
            reason = error_line(error)
            continue
        break
    else:
        raise TargetError(f"{name} cannot be initialised: {reason}; {STATE}")
    params = {role_named(key, FORWARD_NAMES): key for key in variables.pop("params", {})}
    found = {
        (collection, role_named(key, FORWARD_NAMES)): key for collection, held in variables.items() for key in held
    }
    collections = [collection for collection, role in found if role == MEAN and (collection, VARIANCE) in found]
    if set(params) - {GAMMA, BETA} or not collections:
        raise TargetError(f"{name} holds {', '.join([*params.values(), *found.values()]) or 'nothing'}; {STATE}")
    names = params.get(GAMMA, "scale"), params.get(BETA, "bias")
    statistics = found[collections[0], MEAN], found[collections[0], VARIANCE]
    own = {"names": names, "collection": collections[0], "statistic_names": statistics}
    words = f"; gamma {names[0]}, beta {names[1]}, statistics {collections[0]}/{statistics[0]} and {statistics[1]}"
    return type("LinenLayer", (LinenLayer,), own), words


def _initialised(make: Any, config: LayerConfig, argument: str) -> Any:
    """The variables of a fresh linen module, as a function of x."""
    import jax

    return lambda x: make(config).init(jax.random.key(0), x, **mode(argument, True))


def _usual(rank: int, axis: int) -> LayerConfig:
    return LayerConfig(num_channels=CHANNELS, rank=rank, channel_axis=axis, eps=None, momentum=None)


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
