"""A Keras layer of any names under those of Keras's own, so that the layers of the backends take it like that."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np

from bn_adapters.keras_backends import KerasLayer
from bn_adapters.wrappers.reading.roles import BETA, FORWARD_NAMES, GAMMA, MEAN, MODE, VARIANCE, role_named
from bn_adapters.wrappers.trial import CHANNELS
from bn_conformance.adapter import Array, Gradients, RunningStatistics


class NamedKerasLayer:
    """A layer with gamma, beta, moving_mean and moving_variance, whatever its class calls them.

    Args:
        keras: the module.
        layer: of the class; it need not be built.
        names: of its variables, by role.
        argument: of its call, that says the mode; empty for none.
        inverted: whether the mode is true in inference.
    """

    def __init__(self, keras: Any, layer: Any, names: Mapping[str, str], argument: str, inverted: bool) -> None:
        self.keras, self.layer, self.names = keras, layer, names
        self.argument, self.inverted = argument, inverted
        self.gamma: Any = None
        self.beta: Any = None
        self.moving_mean: Any = None
        self.moving_variance: Any = None

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Build the layer, and find its variables; statistics that it lacks are variables that nothing uses."""
        make_variables(self.layer, shape, self.told(False))
        held = variables_of(self.layer)
        self.gamma, self.beta = (held.get(self.names.get(role, "")) for role in (GAMMA, BETA))
        channels = [size for size in shape if size is not None][:1]
        for attribute, role, start in (("moving_mean", MEAN, 0.0), ("moving_variance", VARIANCE, 1.0)):
            own = held.get(self.names.get(role, ""))
            setattr(self, attribute, self.keras.Variable(np.full(channels, start)) if own is None else own)

    def __call__(self, x: Any, training: bool, **more: Any) -> Any:
        return self.layer(x, **self.told(training), **more)

    def told(self, training: bool) -> dict[str, bool]:
        """The arguments of a call that say the mode."""
        return {self.argument: training != self.inverted} if self.argument else {}

    @property
    def weights(self) -> list[Any]:
        """All variables of the layer."""
        return list(self.layer.weights)

    def set_weights(self, values: list[Array]) -> None:
        """Give all variables values."""
        self.layer.set_weights(values)

    @property
    def trainable(self) -> bool:
        """Whether the layer trains; one that does not is frozen."""
        return bool(self.layer.trainable)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self.layer.trainable = value


@cache
def any_shape(base: type[KerasLayer]) -> type[KerasLayer]:
    """The layer of a backend, over variables of any shape that broadcasts to (C,) and without names of their own."""

    class AnyShape(base):  # type: ignore[valid-type, misc]
        """Vectors of shape (C,) to the suite, whatever their shape in the layer."""

        def _assign(self, variable: Any, array: Array) -> None:
            super()._assign(variable, array.reshape(tuple(variable.shape)))

        def running_statistics(self) -> RunningStatistics:
            return RunningStatistics(*(vector.reshape(-1) for vector in super().running_statistics()))

        def backward(self, dy: Array) -> Gradients:
            dx, *others = super().backward(dy)
            return Gradients(dx, *(None if vector is None else np.reshape(vector, -1) for vector in others))

        def state(self) -> Mapping[str, Array]:
            return {name: self._array(one.value) for name, one in variables_of(self.layer.layer).items()}

        def load_state(self, state: Mapping[str, Array]) -> None:
            for name, one in variables_of(self.layer.layer).items():
                self._assign(one, state[name])

    return AnyShape


def mode_argument(built: Any, said: str) -> str:
    """The argument of a class's call that says the mode; empty for none. `said` is what the user says it is called."""
    called = inspect.signature(built.call).parameters
    names = [name for name in called if name == said or role_named(name, {MODE: FORWARD_NAMES[MODE]})]
    return names[0] if names else ""


def make_variables(layer: Any, shape: tuple[int | None, ...], told: Mapping[str, bool]) -> None:
    """Build a layer; one without a method for that, which builds its parts when it is called, is called on zeros.

    `told` are the arguments of a call in inference, so that no statistics move.
    """
    own = any(
        "build" in vars(base)
        for base in type(layer).__mro__
        if not base.__module__.startswith("keras.src.layers.layer")
    )
    if own:
        layer.build(shape)
    if not own or any(not part.built for part in _layers(layer)):
        layer(np.zeros([size or 2 for size in shape], layer.compute_dtype), **told)


def variables_of(layer: Any) -> dict[str, Any]:
    """The variables of a built layer, by the attributes that hold them, else by their places."""
    named = {id(variable): name for name, variable in _attributes(layer)}
    return {named.get(id(one), f"weights[{place}]/{one.name}"): one for place, one in enumerate(layer.weights)}


def vectors_in_layer(layer: Any) -> tuple[list[str], list[str]]:
    """Names of the variables of one number a channel: those that are trained, and the others."""
    held = {name: one for name, one in variables_of(layer).items() if _is_vector(tuple(one.shape))}
    return [name for name, one in held.items() if one.trainable], [n for n, one in held.items() if not one.trainable]


def _is_vector(shape: tuple[int, ...]) -> bool:
    return len(shape) > 0 and int(np.prod(shape)) == max(shape) == CHANNELS


def _layers(layer: Any) -> list[Any]:
    return [part for part in layer._flatten_layers() if part is not layer]  # noqa: SLF001 - the only way to its parts


def _attributes(layer: Any, above: str = "", depth: int = 2) -> Iterator[tuple[str, Any]]:
    """The variables that attributes hold, of a layer and of the layers in it."""
    parts = _layers(layer)
    held = vars(layer) | vars(layer).get("_modules", {})  # torch's modules keep their parts by themselves
    for name, value in held.items():
        if any(value is variable for variable in layer.weights):
            yield above + name, value
        elif depth and any(value is part for part in parts):
            yield from _attributes(value, f"{above}{name}/", depth - 1)
