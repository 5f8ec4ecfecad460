"""Classes that work on NumPy arrays, judged without an adapter.

The mode is an argument of the forward, an attribute, or set by `train()` and `eval()`. Parameters and statistics are
attributes of any name, or entries of dictionaries; gradients are results of the backward, attributes, or entries.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from bn_adapters.wrappers.class_layers import ClassLayer, ClassRecipe
from bn_adapters.wrappers.class_reading import (
    FORWARDS,
    best_reading,
    data_for,
    initial_statistics_of,
    obeyed,
    sample_of,
    there_and_back,
)
from bn_adapters.wrappers.code import class_of
from bn_adapters.wrappers.function_code import NOTHING_SAID
from bn_adapters.wrappers.functions import FunctionAdapter, FunctionSource, function_adapter
from bn_adapters.wrappers.reading.attributes import places_in
from bn_adapters.wrappers.reading.axis_zero import AXIS_ZERO
from bn_adapters.wrappers.reading.callee import callee_of
from bn_adapters.wrappers.reading.library import library_of
from bn_adapters.wrappers.reading.not_quite import several_axes_text
from bn_adapters.wrappers.reading.object_gradients import gradients_of_object
from bn_adapters.wrappers.reading.roles import (
    CHANNELS,
    CONSTRUCTOR_NAMES,
    EPS,
    FORWARD_NAMES,
    GAMMA,
    RESIDUAL,
    VECTORS,
    closing_text,
    role_named,
)
from bn_adapters.wrappers.reading.trial_data import EPS as TRIAL_EPS
from bn_conformance.adapter import Adapter, Convention, Layer, LayerConfig
from bn_conformance.targets.naming import TargetError
from bn_conformance.targets.said import Said
from bn_conformance.targets.wrappers import Wrapper

BASE = Convention(running_variance="biased", momentum_weighs="old", default_momentum=0.9)


class NumpyClassAdapter(FunctionAdapter):
    """What the adapters of NumPy classes share; `adapter` makes a subclass for a class."""

    objects: ClassVar[ClassRecipe]

    def build(self, config: LayerConfig) -> Layer:
        return ClassLayer(self.objects, config)


def adapter(code: str, said: Said = NOTHING_SAID) -> type[NumpyClassAdapter]:
    """The adapter of a class.

    Raises:
        TargetError: it cannot be built or read.
    """
    built, name = class_of(code, object, "a class")
    constructor = callee_of(built, built.__name__, CONSTRUCTOR_NAMES, CHANNELS, named=said.names, fixed=said.arguments)
    sample = sample_of(constructor)
    if text := _several_axes(sample):
        raise TargetError(f"{name} has {text}")
    found = best_reading(constructor, sample, name)
    if found is None:
        raise TargetError(f"{name} has none of the methods {', '.join(FORWARDS)} that takes an x")
    recipe, step = obeyed(found)
    initial, note = initial_statistics_of(recipe)
    recipe = replace(recipe, initial=initial)
    data = data_for(recipe)
    gradients = None
    if recipe.backward:
        roles = step.roles
        gradients = gradients_of_object(
            lambda training: there_and_back(recipe, data, training),
            data,
            TRIAL_EPS if EPS in roles else 1e-5,
            data.vectors[GAMMA] if GAMMA in roles else None,
            set(recipe.places.values()),
            recipe.backward,
        )
        recipe = replace(recipe, gradients=gradients.places)
    chosen = closing_text(constructor.fixed), _residual_text(sample, recipe)
    source = FunctionSource(
        name=name,
        forward=step,
        base=BASE,
        gradients=frozenset() if gradients is None else gradients.modes,
        gradient_line="gradients: none, so that the forward alone is judged" if gradients is None else gradients.line,
        initial=initial,
        note="; ".join(filter(None, (note, AXIS_ZERO * recipe.swapped, *chosen))),
        title=f"{built.__name__}({', '.join(argument.name for argument in constructor.arguments)}), called with "
        f"{recipe.forward}{_backward_text(recipe)} on numpy arrays",
    )
    made: Any = function_adapter(source, NumpyClassAdapter)
    made.objects = replace(recipe, weighs_old=made.convention.momentum_weighs == "old")
    return made


def _several_axes(sample: Any) -> str:
    """What is to be said of a parameter or statistic that has more than one axis; empty where there is none."""
    vectors = {role: FORWARD_NAMES[role] for role in VECTORS}
    named = [(place, value) for place, value in places_in(sample) if role_named(place.name, vectors)]
    return next(filter(None, (several_axes_text(str(place), np.shape(value)) for place, value in named)), "")


def _residual_text(sample: Any, recipe: ClassRecipe) -> str:
    """What is to be said of a forward that adds something to y."""
    residual = recipe.calls(sample).spelled(RESIDUAL)
    return f"residual: {residual}, given as zeros, so that y is that of batch normalisation" if residual else ""


def _backward_text(recipe: ClassRecipe) -> str:
    return f" and {recipe.backward}" if recipe.backward else ""


def _recognises(thing: object) -> bool:
    """Whether a thing is a plain class, or an object of one, on NumPy arrays, with a forward."""
    own = thing if inspect.isclass(thing) else type(thing)
    if issubclass(own, Adapter) or own.__module__ == "builtins" or library_of(own) != "numpy":
        return False
    methods: Mapping[str, Any] = {name: value for base in own.__mro__[:-1] for name, value in vars(base).items()}
    return any(inspect.isfunction(methods.get(name)) for name in FORWARDS)


WRAPPER = Wrapper(
    expects="a class with a forward, on NumPy arrays",
    adapter=adapter,
    requires=(),
    install="pip install bnconform",
    names=True,
    general=True,
    recognises=_recognises,
)
