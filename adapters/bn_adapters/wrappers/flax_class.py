"""Flax classes of one's own, of nnx or of linen: built, called and read under any names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from bn_adapters.flax_modules import FlaxNnx
from bn_adapters.jax_functions import jax_copy
from bn_adapters.wrappers.code import error_line
from bn_adapters.wrappers.flax_making import FlaxClass, compute_in_formats_of
from bn_adapters.wrappers.flax_variables import VariableLayer
from bn_adapters.wrappers.reading.roles import (
    BETA,
    EPS,
    GAMMA,
    MEAN,
    MOMENTUM,
    VARIANCE,
    VECTORS,
)
from bn_adapters.wrappers.trial import (
    CHANNELS,
    Ranks,
    adapter_class,
    affine_of,
    convention_of,
    described,
    refusal_of,
    trial,
)
from bn_adapters.wrappers.variables import VariableReading, Variables, read_variables
from bn_conformance.adapter import Array, Capabilities, Layer, LayerConfig
from bn_conformance.targets.naming import TargetError
from bn_conformance.targets.said import Said


class FlaxClassAdapter(FlaxNnx):
    """What the adapters of classes share."""

    framework = ""  # a process of its own: reading may change how JAX is configured
    made: ClassVar[FlaxClass]
    names: ClassVar[Mapping[str, str]]
    wide: ClassVar[bool]
    notes: ClassVar[tuple[str, ...]]

    def build(self, config: LayerConfig) -> Layer:
        compute_in_formats_of(self.wide)
        return VariableLayer(config, self.made.pure(config), self.names)

    def supports(self, config: LayerConfig) -> str | None:
        return None if self.capabilities.literals else self.made.takes.refusal(config, self.convention)


def class_adapter(found: FlaxClass, name: str, wide: bool, said: Said) -> type[FlaxNnx]:
    """The adapter of a class of one's own.

    Args:
        found: the class.
        name: in reports.
        wide: whether its parameters may have float64.
        said: what the user says of it.

    Raises:
        TargetError: it cannot be built, read or called.
    """
    takes = found.takes
    reading = _reading(found, name, said)
    ranks = Ranks.tried(lambda rank: _refusal(found, reading, rank, rank - 1), name, f"(N, ..., {CHANNELS})")
    layouts, tallest = {"last"}, max(ranks.taken)
    if "axis" in takes.names and tallest > 3:
        for layout, axis in (("first", 1), ("between", 2)):
            if _refusal(found, reading, tallest, axis) is None:
                layouts.add(layout)
    switches = {"gamma", "beta"} <= set(takes.names)
    own = affine_of(GAMMA in reading.names, BETA in reading.names)
    literals = frozenset({EPS, MOMENTUM} - set(takes.names))
    modes = reading.modes(found.has_mode)
    capabilities = Capabilities(
        dtypes=frozenset({"float32", "float64"} if wide else {"float32"}),
        ranks=frozenset(ranks.taken),
        layouts=frozenset(layouts),  # type: ignore[arg-type]
        affine=frozenset({"both", "none", "gamma", "beta"} if switches else {own}),  # type: ignore[arg-type]
        modes=modes,
        gradients=modes,
        statistics=reading.statistics,
        set_statistics=reading.statistics,
        freeze=len(modes) > 1,
        literals=literals,  # type: ignore[arg-type]
        compiles=True,
    )
    values: dict[str, Any] = {f"default_{key}": takes.number(key) for key in (EPS, MOMENTUM)}
    values |= reading.literals(literals)
    usual = {f"default_{key}": getattr(FlaxNnx.convention, f"default_{key}") for key in literals}
    convention = convention_of(name, FlaxNnx.convention, **{**usual, **_known(values), "statistics_dtype": "parameter"})
    attributes = {
        "name": name,
        "convention": convention,
        "capabilities": capabilities,
        "made": found,
        "names": reading.names,
        "wide": wide,
        "notes": (*_notes(found, reading, values), described(capabilities), str(ranks)),
    }
    return adapter_class(takes.built.__name__, (FlaxClassAdapter,), attributes)


def _notes(found: FlaxClass, reading: VariableReading, values: Mapping[str, Any]) -> list[str]:
    takes, mode = found.takes, found.mode
    lines = [f"{'linen' if found.linen else 'nnx'}; built with {takes.described(*takes.names)}", *reading.lines]
    lines += reading.number_lines(takes.names, values)
    told = f"the argument {mode.argument}" if mode.argument else f"the field {mode.field}" if mode.field else ""
    without = "none" if found.linen else "train() and eval()"
    lines.append(f"mode: {told}, {mode.value(True)} in training" if told else f"mode: {without}")
    return lines


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _config(rank: int, axis: int, **numbers: Any) -> LayerConfig:
    return LayerConfig(num_channels=CHANNELS, rank=rank, channel_axis=axis, **{EPS: None, MOMENTUM: None, **numbers})


def _reading(found: FlaxClass, name: str, said: Said) -> VariableReading:
    """What its variables are.

    Raises:
        TargetError: it cannot be built, or the reading fails.
    """
    places = ((2, 1), (4, 3), (3, 2), (5, 4))
    why = ""
    for place in places:
        try:
            module = found.pure(_config(*place))
        except Exception as error:
            why = why or error_line(error)
            continue
        break
    else:
        raise TargetError(f"{name} cannot be built: {why}; say what it is built with: --argument NAME=VALUE")
    held = Variables(_vectors(module.parameters), _vectors(module.others), dict(found.takes.names), found.has_mode)

    def step(
        rank: int, axis: int, values: Mapping[str, Any], x: Array, training: bool
    ) -> tuple[Any, Mapping[str, Any]]:
        numbers = {role: values[role] for role in (EPS, MOMENTUM) if role in values}
        if MOMENTUM in numbers:
            numbers[MOMENTUM] = 1.0 - numbers[MOMENTUM]  # that of a configuration weighs the new
        fresh = found.pure(_config(rank, axis, **numbers))
        old = {**fresh.parameters, **fresh.others}
        given = {key: jax_copy(values[key], old[key].dtype).reshape(old[key].shape) for key in values if key in old}
        return fresh.call({**old, **given}, jax_copy(x), training)

    return read_variables(name, held, step, places, {role: said.names[role] for role in VECTORS if role in said.names})


def _vectors(held: Mapping[str, Any]) -> list[str]:
    """The names of variables of one number a channel."""
    vectors = {name: np.shape(value) for name, value in held.items() if getattr(value, "dtype", None) is not None}
    return [name for name, shape in vectors.items() if shape and np.prod(shape) == max(shape) == CHANNELS]


def _refusal(found: FlaxClass, reading: VariableReading, rank: int, axis: int) -> str | None:
    """Why a module does not take an x of a rank with its channels on an axis; None where it does."""
    config, x = _config(rank, axis), trial(rank, axis)
    if refusal_of(x, lambda: _traced_shapes(found, reading, config, x)) is None:
        return None

    def shapes() -> list[tuple[int, ...]]:
        layer = VariableLayer(config, found.pure(config), reading.names)
        modes = reading.modes(found.has_mode)
        outputs = [np.shape(layer.forward(x, mode == "training")) for mode in modes]
        statistics = [np.shape(statistic) for statistic in layer.running_statistics()]
        return outputs + [(*x.shape[:axis], *shape, *x.shape[axis + 1 :]) for shape in statistics]

    return refusal_of(x, shapes, "y or a statistic")


def _traced_shapes(found: FlaxClass, reading: VariableReading, config: LayerConfig, x: Array) -> list[tuple[int, ...]]:
    """The shapes of y in each mode, and those of x with one of the statistics for its channels.

    JAX derives them, and compiles nothing: to run operations of new shapes takes half a second for each rank.
    """
    import jax

    axis = config.channel_axis

    def traced(x: Any) -> tuple[list[Any], list[Any]]:
        module = found.fresh(config)
        held, outputs = {**module.parameters, **module.others}, list[Any]()
        for mode in reading.modes(found.has_mode):
            y, after = module.call(held, x, mode == "training")
            held = {**held, **after}
            outputs.append(y)
        return outputs, [held[reading.names[role]].reshape(-1) for role in (MEAN, VARIANCE) if role in reading.names]

    outputs, statistics = jax.eval_shape(traced, jax.ShapeDtypeStruct(x.shape, x.dtype))
    return [y.shape for y in outputs] + [(*x.shape[:axis], *held.shape, *x.shape[axis + 1 :]) for held in statistics]
