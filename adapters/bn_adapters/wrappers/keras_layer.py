"""Any Keras 3 layer class, judged without an adapter: its variables and arguments may have any names.

Keras runs on one backend in a process: `keras-layer[jax]` names it; `keras-layer` takes the one that Keras itself would
take (KERAS_BACKEND, else its configuration file, else TensorFlow).
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bn_adapters.keras_backends import load_keras
from bn_adapters.keras_layers import ENVIRONMENTS, KerasAdapter, KerasJax, KerasTensorflow, KerasTorch
from bn_adapters.wrappers.code import (
    Constructor,
    class_of,
    constructor,
    error_line,
    framework_class,
    is_or_makes,
    parameters_of,
)
from bn_adapters.wrappers.function_code import NOTHING_SAID
from bn_adapters.wrappers.keras_variables import (
    NamedKerasLayer,
    any_shape,
    make_variables,
    mode_argument,
    variables_of,
    vectors_in_layer,
)
from bn_adapters.wrappers.reading.roles import (
    AXIS,
    BETA,
    CONSTRUCTOR_NAMES,
    EPS,
    FORWARD_NAMES,
    GAMMA,
    INVERTED_MODES,
    MODE,
    MOMENTUM,
    VECTORS,
)
from bn_adapters.wrappers.reading.roles import CHANNELS as CHANNEL_COUNT
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
from bn_conformance.adapter import Array, Capabilities, Convention, Layer, LayerConfig
from bn_conformance.targets.naming import TargetError
from bn_conformance.targets.said import Said
from bn_conformance.targets.wrappers import Wrapper

ARGUMENTS = (
    "a keras-layer is built from no arguments and, where it has them, the number of channels, axis, epsilon, momentum, "
    "center, scale and dtype; say others: --argument NAME=VALUE"
)
KNOWN = {
    "eps": FORWARD_NAMES[EPS],
    "momentum": FORWARD_NAMES[MOMENTUM],
    "channels": CONSTRUCTOR_NAMES[CHANNEL_COUNT],
    "axis": CONSTRUCTOR_NAMES[AXIS],
    "gamma": ("scale",),
    "beta": ("center",),
    "dtype": ("dtype",),
}
"""What the suite calls an argument of the constructor, to the names that it may have."""

ON: Mapping[str, type[KerasAdapter]] = {"tensorflow": KerasTensorflow, "jax": KerasJax, "torch": KerasTorch}


@dataclass(frozen=True)
class _Named:
    """A class that was read: what it is built from, what its variables are, and the argument that says the mode."""

    takes: Constructor
    names: Mapping[str, str]
    mode: str

    def layer(self, base: type[KerasAdapter], config: LayerConfig, convention: Convention) -> Layer:
        """A fresh layer behind the contract."""
        keras = load_keras(base.backend)
        own = _layer(self.takes, config, convention)
        named = NamedKerasLayer(keras, own, self.names, self.mode, self.mode in INVERTED_MODES)
        return any_shape(base.layer_class)(keras, config, named)


class _KerasCode(KerasAdapter):
    """What the adapters of layers share; `adapter` makes a subclass of it and of a backend's adapter."""

    framework = ""  # a process of its own, whatever backend it is
    found: ClassVar[_Named]
    notes: ClassVar[tuple[str, ...]]

    def build(self, config: LayerConfig) -> Layer:
        return self.found.layer(type(self), config, self.convention)

    def supports(self, config: LayerConfig) -> str | None:
        return None if self.capabilities.literals else self.found.takes.refusal(config, self.convention)


def _layer(takes: Constructor, config: LayerConfig, convention: Convention) -> Any:
    """A fresh layer, which is not built yet."""
    chosen = takes.chosen(config, convention)
    return takes.built(
        **takes.arguments(
            channels=config.num_channels,
            axis=config.channel_axis,
            gamma=config.gamma,
            beta=config.beta,
            dtype=config.dtype,
            **chosen,
        )
    )


def backend_of_keras() -> str:
    """The backend that Keras takes when nobody names one: KERAS_BACKEND, its configuration file, TensorFlow."""
    if named := os.environ.get("KERAS_BACKEND"):
        return named
    file = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras.json"
    try:
        return str(json.loads(file.read_text(encoding="utf-8")).get("backend", "tensorflow"))
    except (OSError, ValueError, AttributeError):
        return "tensorflow"


def _environment(backend: str) -> Mapping[str, str]:
    backend = backend or backend_of_keras()
    if backend not in ON:
        raise TargetError(f"keras runs on {backend!r} here; set KERAS_BACKEND to {', '.join(ON)}")
    if importlib.util.find_spec(backend) is None:
        raise TargetError(f"keras runs on {backend} here, which is not installed; name another: keras-layer[torch]=...")
    return ENVIRONMENTS[backend]


def adapter(code: str, said: Said = NOTHING_SAID, backend: str = "") -> type[KerasAdapter]:
    """The adapter of a layer class on a backend.

    Raises:
        TargetError: it is no layer class, cannot be built or read, or takes no x.
    """
    backend = backend or backend_of_keras()
    keras = load_keras(backend)
    built, name = class_of(code, keras.layers.Layer, "a keras.layers.Layer class")
    known = {role: (said.names[role],) if role in said.names else names for role, names in KNOWN.items()}
    required = [entry.name for entry in parameters_of(built).values() if entry.default is entry.empty]
    first = "channels" if required == list(parameters_of(built))[:1] else ""
    takes = constructor(built, known, first, ARGUMENTS, said.arguments)
    mode = mode_argument(built, said.names.get(MODE, ""))
    reading = _reading(backend, takes, mode, name, said)
    found, base = _Named(takes, reading.names, mode), ON[backend]
    modes = reading.modes(bool(mode))
    ranks = Ranks.tried(
        lambda rank: _refusal(base, found, modes, rank, rank - 1), built.__name__, f"(N, ..., {CHANNELS})"
    )
    switches = {"gamma", "beta"} <= set(takes.names)
    own_affine = affine_of(GAMMA in reading.names, BETA in reading.names)
    literals = frozenset({EPS, MOMENTUM} - set(takes.names))
    capabilities = Capabilities(
        dtypes=frozenset({"float32", "float64"} if "dtype" in takes.names else {"float32"}),
        ranks=frozenset(ranks.taken),
        layouts=frozenset(_layouts(base, found, modes, max(ranks.taken))),  # type: ignore[arg-type]
        affine=frozenset({"both", "none", "gamma", "beta"} if switches else {own_affine}),  # type: ignore[arg-type]
        modes=modes,
        gradients=modes,
        statistics=reading.statistics,
        set_statistics=reading.statistics,
        literals=literals,  # type: ignore[arg-type]
        freeze=issubclass(built, keras.layers.BatchNormalization),
        compiles=backend == "jax",
    )
    measured = {f"default_{key}": takes.number(key) for key in (EPS, MOMENTUM)} | reading.literals(literals)
    usual = {f"default_{key}": getattr(base.convention, f"default_{key}") for key in literals}
    values = usual | {key: value for key, value in measured.items() if value is not None or key not in usual}
    told = f"the argument {mode}, {mode not in INVERTED_MODES} in training" if mode else "none"
    attributes = {
        "name": name,
        "convention": convention_of(name, base.convention, **values),
        "capabilities": capabilities,
        "found": found,
        "notes": (
            f"on {backend}; built with {takes.described(*KNOWN)}",
            *reading.lines,
            *reading.number_lines(takes.names, measured),
            f"mode: {told}",
            described(capabilities),
            str(ranks),
        ),
    }
    return adapter_class(built.__name__, (_KerasCode, base), attributes)


def _config(rank: int = 4, axis: int = -1, **changes: Any) -> LayerConfig:
    settings: dict[str, Any] = {"eps": 1e-3, "momentum": 0.25} | changes
    return LayerConfig(num_channels=CHANNELS, rank=rank, channel_axis=axis % rank, **settings)


def _reading(backend: str, takes: Constructor, mode: str, name: str, said: Said) -> VariableReading:
    """What the variables of a class are.

    Raises:
        TargetError: it cannot be built, or the reading fails.
    """
    keras, places = load_keras(backend), ((2, 1), (4, 3), (3, 2), (5, 4))

    def fresh(rank: int, axis: int, **numbers: Any) -> Any:
        layer = _layer(takes, _config(rank, axis, **{EPS: None, MOMENTUM: None, **numbers}), KerasAdapter.convention)
        shape: list[int | None] = [None] * rank
        shape[axis] = CHANNELS
        make_variables(layer, tuple(shape), {mode: mode in INVERTED_MODES} if mode else {})
        return layer

    why = ""
    for place in places:
        try:
            parameters, others = vectors_in_layer(fresh(*place))
        except Exception as error:
            why = why or error_line(error)
            continue
        break
    else:
        raise TargetError(f"{name} cannot be built: {why}; {ARGUMENTS}")

    def step(rank: int, axis: int, values: Mapping[str, Any], x: Array, training: bool) -> tuple[Any, Any]:
        numbers = {role: values[role] for role in (EPS, MOMENTUM) if role in values}
        numbers |= {MOMENTUM: 1.0 - numbers[MOMENTUM]} if MOMENTUM in numbers else {}
        layer = fresh(rank, axis, **numbers)
        held = variables_of(layer)
        for key in held.keys() & values.keys():
            held[key].assign(np.asarray(values[key]).reshape(tuple(held[key].shape)))
        told = {mode: training != (mode in INVERTED_MODES)} if mode else {}
        array = keras.ops.convert_to_numpy
        y = array(layer(keras.ops.convert_to_tensor(x), **told))
        return y, {key: array(variable.value) for key, variable in held.items()}

    named = {role: said.names[role] for role in VECTORS if role in said.names}
    return read_variables(name, Variables(parameters, others, takes.names, bool(mode)), step, places, named)


def _layouts(base: type[KerasAdapter], found: _Named, modes: frozenset[str], rank: int) -> Iterator[str]:
    """Where the channels of an x of a rank may be."""
    yield "last"
    if "axis" in found.takes.names:
        if rank > 2 and _refusal(base, found, modes, rank, 1) is None:
            yield "first"
        if rank > 3 and _refusal(base, found, modes, rank, 2) is None:
            yield "between"


def _refusal(base: type[KerasAdapter], found: _Named, modes: frozenset[str], rank: int, axis: int) -> str | None:
    """Why a layer does not take an x of a rank with its channels on an axis; None where it does."""
    config, x = _config(rank, axis), trial(rank, axis)

    def shapes() -> list[tuple[int, ...]]:
        layer = found.layer(base, config, base.convention)
        return [np.shape(layer.forward(x, mode == "training")) for mode in sorted(modes)]

    return refusal_of(x, shapes)


def _recognises(thing: object) -> bool:
    return is_or_makes(thing, framework_class("keras", "Layer"))


def _wrapper(backend: str) -> Wrapper:
    make: Callable[..., type[KerasAdapter]] = partial(adapter, backend=backend)
    return Wrapper(
        expects="a keras.layers.Layer class",
        adapter=make,
        requires=("keras",),
        install=ON[backend].install if backend else "pip install 'bnconform[tensorflow]'",
        environment=partial(_environment, backend),
        names=True,
        recognises=_recognises if not backend else lambda _: False,
    )


WRAPPER = _wrapper("")
ON_TENSORFLOW, ON_JAX, ON_TORCH = _wrapper("tensorflow"), _wrapper("jax"), _wrapper("torch")
