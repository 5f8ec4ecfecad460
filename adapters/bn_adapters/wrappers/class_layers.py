"""Layers over objects of a class that works on NumPy arrays and keeps its own state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bn_adapters.recorded import recorded
from bn_adapters.wrappers.reading.attributes import AttributePlace
from bn_adapters.wrappers.reading.callee import Callee
from bn_adapters.wrappers.reading.results import Path, pick
from bn_adapters.wrappers.reading.roles import (
    BETA,
    CHANNELS,
    DBETA,
    DGAMMA,
    DX,
    EPS,
    GAMMA,
    MEAN,
    MODE,
    MOMENTUM,
    RESIDUAL,
    VARIANCE,
    VECTORS,
    X,
)
from bn_conformance.adapter import Array, Gradients, Layer, LayerConfig, RunningStatistics


@dataclass(frozen=True)
class ClassRecipe:
    """How objects of a class are built and used.

    Attributes:
        constructor: the class, with the roles of its arguments.
        forward: name of the method, and `calls` the roles of its arguments.
        calls: makes the method of an object something to call by roles.
        places: of parameters, statistics and numbers, by role.
        mode: the place of the mode; None where the forward takes it, where methods set it, or where there is none.
        modes: what the mode is in training and in inference.
        switches: names of the methods that set the mode, for training and for inference; empty for none.
        backward: name of the method; empty for none.
        gradients: of dx, dgamma and dbeta the path in what the backward gives, or the place on the object.
        weighs_old: whether momentum weighs the old statistic.
        initial: running mean and variance of a fresh object.
        swapped: whether the channels are on axis 0, so that axes 0 and 1 of x and y are swapped around each call.
    """

    constructor: Callee
    forward: str
    calls: Callable[[Any], Callee]
    places: Mapping[str, AttributePlace]
    mode: AttributePlace | None = None
    modes: tuple[Any, Any] = (True, False)
    switches: tuple[str, str] | tuple[()] = ()
    backward: str = ""
    gradients: Mapping[str, Path | AttributePlace] = field(default_factory=dict)
    weighs_old: bool = True
    initial: tuple[float, float] = (0.0, 1.0)
    swapped: bool = False

    def made(self, values: Mapping[str, Any]) -> Any:
        """An object, with what the constructor does not take put in its place.

        Args:
            values: by role: numbers and vectors. A vector or number without a value is left to the class.
        """
        own, _ = self.constructor.invoke(values)
        for role, place in self.places.items():
            if values.get(role) is not None:
                place.put(own, _shaped(values[role], place.get(own)))
        return own

    def run(self, own: Any, x: Any, training: bool) -> Any:
        """Call the forward of an object in a mode."""
        if self.mode is not None:
            self.mode.put(own, self.modes[0] if training else self.modes[1])
        elif self.switches:
            getattr(own, self.switches[0] if training else self.switches[1])()
        x = self._own(x)
        return self._own(self.calls(own).invoke({X: x, MODE: training, RESIDUAL: np.zeros_like(x)})[0], x.shape)

    def back(self, own: Any, dy: Array) -> Any:
        """Call the backward of an object; what it gives of the shape of dy is dx."""
        dy = self._own(dy)
        given = getattr(own, self.backward)(dy)
        if isinstance(given, Mapping):
            return {key: self._own(part, dy.shape) for key, part in given.items()}
        if type(given) in (tuple, list):
            return type(given)(self._own(part, dy.shape) for part in given)
        return self._own(given, dy.shape)

    def _own(self, array: Any, shape: tuple[int, ...] | None = None) -> Any:
        """An array of the shape of x with axes 0 and 1 swapped, where they are; anything else as it is."""
        if not self.swapped or (shape is not None and np.shape(array) != shape):
            return array
        return np.ascontiguousarray(np.asarray(array).swapaxes(0, 1))


class ClassLayer(Layer):
    """An object with state of its own behind the contract."""

    def __init__(self, recipe: ClassRecipe, config: LayerConfig) -> None:
        self.recipe, self.config = recipe, config
        channels, dtype = config.num_channels, np.dtype(config.parameter_dtype)
        starts = {GAMMA: 1.0, BETA: 0.0, MEAN: recipe.initial[0], VARIANCE: recipe.initial[1]}
        values: dict[str, Any] = {role: np.full(channels, start, dtype) for role, start in starts.items()}
        values |= {CHANNELS: channels, EPS: config.eps}
        values[MOMENTUM] = config.keep if recipe.weighs_old else config.momentum
        self.own = recipe.made(values)
        self.latest: bool | None = None

    def forward(self, x: Array, training: bool) -> Array:
        y: Array = self.recipe.run(self.own, x, training)
        self.latest = training
        return y

    def backward(self, dy: Array) -> Gradients:
        recorded(self.latest)
        given = self.recipe.back(self.own, dy)
        found = [self._gradient(given, role) for role in (DX, DGAMMA, DBETA)]
        return Gradients(*found)

    def _gradient(self, given: Any, role: str) -> Any:
        where = self.recipe.gradients.get(role)
        if where is None:
            return None
        value = where.get(self.own) if isinstance(where, AttributePlace) else pick(given, where)
        return value if role == DX else _flat(value)

    def running_statistics(self) -> RunningStatistics:
        places = self.recipe.places
        if MEAN not in places or VARIANCE not in places:
            nothing = np.zeros(self.config.num_channels, self.config.parameter_dtype)
            return RunningStatistics(nothing, nothing + 1)
        return RunningStatistics(*(np.array(_flat(places[role].get(self.own))) for role in (MEAN, VARIANCE)))

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self._put({MEAN: mean, VARIANCE: variance})

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        self._put({GAMMA: gamma, BETA: beta})

    def _put(self, vectors: Mapping[str, Array | None]) -> None:
        for role, vector in vectors.items():
            if vector is not None and role in self.recipe.places:
                place = self.recipe.places[role]
                place.put(self.own, _shaped(np.array(vector), place.get(self.own)))

    def state(self) -> Mapping[str, Array]:
        places = self.recipe.places
        return {role: np.array(places[role].get(self.own)) for role in VECTORS if role in places}

    def load_state(self, state: Mapping[str, Array]) -> None:
        for role, vector in state.items():
            self.recipe.places[role].put(self.own, np.array(vector))


def _shaped(value: Any, old: Any) -> Any:
    """A vector in the shape that an object has for it, where that broadcasts; a number as it is."""
    fits = isinstance(value, np.ndarray) and isinstance(old, np.ndarray) and old.size == value.size
    return value.reshape(old.shape) if fits else value


def _flat(value: Any) -> Any:
    """A vector of shape (C,), whatever shape that broadcasts it came in."""
    is_vector = isinstance(value, np.ndarray) and value.ndim > 1 and value.size == max(value.shape)
    return value.reshape(-1) if is_vector else value
