"""Any Keras 3 layer class with gamma, beta, moving_mean and moving_variance, judged without an adapter.

Keras runs on one backend in a process: `keras-layer[jax]` names it; `keras-layer` takes the one that Keras itself would
take (KERAS_BACKEND, else its configuration file, else TensorFlow).
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from bn_adapters.keras_backends import load_keras
from bn_adapters.keras_layers import ENVIRONMENTS, KerasAdapter, KerasJax, KerasTensorflow, KerasTorch
from bn_adapters.wrappers.code import Constructor, class_of, constructor, error_line, framework_class, is_or_makes
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
from bn_conformance.adapter import Capabilities, Convention, Layer, LayerConfig
from bn_conformance.targets.naming import TargetError
from bn_conformance.targets.wrappers import Wrapper

ARGUMENTS = (
    "a keras-layer is built from no arguments and, where it has them, axis, epsilon, momentum, center, scale and dtype"
)
STATE = "a built keras-layer has the variables moving_mean and moving_variance, gamma and beta (None where absent)"
KNOWN = {
    "eps": ("epsilon", "eps"),
    "momentum": ("momentum",),
    "axis": ("axis",),
    "gamma": ("scale",),
    "beta": ("center",),
    "dtype": ("dtype",),
}
"""What the suite calls an argument of the constructor, to the names that it may have."""

ON: Mapping[str, type[KerasAdapter]] = {"tensorflow": KerasTensorflow, "jax": KerasJax, "torch": KerasTorch}


class _KerasCode(KerasAdapter):
    """What the adapters of layers share; `adapter` makes a subclass of it and of a backend's adapter."""

    framework = ""  # a process of its own, whatever backend it is
    takes: ClassVar[Constructor]
    notes: ClassVar[tuple[str, ...]]

    def build(self, config: LayerConfig) -> Layer:
        keras = load_keras(self.backend)
        return self.layer_class(keras, config, _layer(self.takes, config, self.convention))

    def supports(self, config: LayerConfig) -> str | None:
        return self.takes.refusal(config, self.convention)


def _layer(takes: Constructor, config: LayerConfig, convention: Convention) -> Any:
    """A fresh layer, which is not built yet."""
    chosen = takes.chosen(config, convention)
    return takes.built(
        **takes.arguments(axis=config.channel_axis, gamma=config.gamma, beta=config.beta, dtype=config.dtype, **chosen)
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


def adapter(code: str, backend: str = "") -> type[KerasAdapter]:
    """The adapter of a layer class on a backend.

    Raises:
        TargetError: it is no layer class, cannot be built, or lacks what a keras-layer has.
    """
    backend = backend or backend_of_keras()
    keras = load_keras(backend)
    built, name = class_of(code, keras.layers.Layer, "a keras.layers.Layer class")
    takes = constructor(built, KNOWN, "", ARGUMENTS)
    called = built.call  # type: ignore[attr-defined]
    if "training" not in inspect.signature(called).parameters:
        raise TargetError(f"{name}.call has no argument training; a keras-layer is called as layer(x, training=True)")
    layer = _built_layer(takes, name)
    base = ON[backend]
    ranks = Ranks.tried(lambda rank: _refusal(base, takes, rank, rank - 1), built.__name__, f"(N, ..., {CHANNELS})")
    switches = {"gamma", "beta"} <= set(takes.names)
    own_affine = affine_of(layer.gamma is not None, layer.beta is not None)
    capabilities = Capabilities(
        dtypes=frozenset({"float32", "float64"} if "dtype" in takes.names else {"float32"}),
        ranks=frozenset(ranks.taken),
        layouts=frozenset(_layouts(base, takes, max(ranks.taken))),  # type: ignore[arg-type]
        affine=frozenset({"both", "none", "gamma", "beta"} if switches else {own_affine}),  # type: ignore[arg-type]
        freeze=issubclass(built, keras.layers.BatchNormalization),
        compiles=backend == "jax",
    )
    values = {f"default_{key}": takes.number(key) for key in ("eps", "momentum")}
    attributes = {
        "name": name,
        "convention": convention_of(name, base.convention, **values),
        "capabilities": capabilities,
        "takes": takes,
        "notes": (f"on {backend}; built with {takes.described(*KNOWN)}", described(capabilities), str(ranks)),
    }
    return adapter_class(built.__name__, (_KerasCode, base), attributes)


def _config(rank: int = 4, axis: int = -1, **changes: Any) -> LayerConfig:
    settings: dict[str, Any] = {"eps": 1e-3, "momentum": 0.25} | changes
    return LayerConfig(num_channels=CHANNELS, rank=rank, channel_axis=axis % rank, **settings)


def _built_layer(takes: Constructor, name: str) -> Any:
    """A built layer that has what it should.

    Raises:
        TargetError: it cannot be built, or lacks something.
    """
    try:
        layer = _layer(takes, _config(), KerasAdapter.convention)
        layer.build((None, 5, 2, CHANNELS))
    except Exception as error:
        raise TargetError(f"{name} cannot be built: {error_line(error)}; {ARGUMENTS}") from None
    for variable in ("moving_mean", "moving_variance", "gamma", "beta"):
        if not hasattr(layer, variable):
            raise TargetError(f"{name} has no {variable}; {STATE}")
        held = getattr(layer, variable)
        if held is None and variable in ("gamma", "beta"):
            continue
        if tuple(getattr(held, "shape", ("none",))) != (CHANNELS,):
            raise TargetError(f"{name} has {variable} of another shape than ({CHANNELS},), the channels; {STATE}")
    return layer


def _layouts(base: type[KerasAdapter], takes: Constructor, rank: int) -> Iterator[str]:
    """Where the channels of an x of a rank may be."""
    yield "last"
    if "axis" in takes.names:
        if rank > 2 and _refusal(base, takes, rank, 1) is None:
            yield "first"
        if rank > 3 and _refusal(base, takes, rank, 2) is None:
            yield "between"


def _refusal(base: type[KerasAdapter], takes: Constructor, rank: int, axis: int) -> str | None:
    """Why a layer does not take an x of a rank with its channels on an axis; None where it does."""
    config, x = _config(rank, axis), trial(rank, axis)

    def shapes() -> list[tuple[int, ...]]:
        layer = base.layer_class(load_keras(base.backend), config, _layer(takes, config, base.convention))
        return [np.shape(layer.forward(x, training)) for training in (True, False)]

    return refusal_of(x, shapes)


def _recognises(thing: object) -> bool:
    return is_or_makes(thing, framework_class("keras", "Layer"))


def _wrapper(backend: str) -> Wrapper:
    make: Callable[[str], type[KerasAdapter]] = partial(adapter, backend=backend)
    return Wrapper(
        expects="a keras.layers.Layer class",
        adapter=make,
        requires=("keras",),
        install=ON[backend].install if backend else "pip install 'bnconform[tensorflow]'",
        environment=partial(_environment, backend),
        recognises=_recognises if not backend else lambda _: False,
    )


WRAPPER = _wrapper("")
ON_TENSORFLOW, ON_JAX, ON_TORCH = _wrapper("tensorflow"), _wrapper("jax"), _wrapper("torch")
