"""Layers over a program that answers on standard output: one with state of its own, or one that is told all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from itertools import count
from typing import Any

import numpy as np

from bn_adapters.recorded import recorded
from bn_conformance.adapter import Array, Gradients, Layer, LayerConfig, RunningStatistics
from bn_conformance.hosting.program import Program

_NUMBERS = count(1)


class StatefulLayer(Layer):
    """A layer that the program holds under a number."""

    def __init__(self, program: Program, config: LayerConfig) -> None:
        self.program, self.number = program, next(_NUMBERS)
        self._ask("build", config=asdict(config))

    def _ask(self, operation: str, **arguments: Any) -> Any:
        return self.program.ask(operation, layer=self.number, **arguments)

    def forward(self, x: Array, training: bool) -> Array:
        y: Array = _part(self._ask("forward", x=x, training=training), "y")
        return y

    def backward(self, dy: Array) -> Gradients:
        given = self._ask("backward", dy=dy)
        return Gradients(*(_part(given, name) for name in ("dx", "dgamma", "dbeta")))

    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(*self._ask("running_statistics"))

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self._ask("set_running_statistics", mean=mean, variance=variance)

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        self._ask("set_parameters", gamma=gamma, beta=beta)

    def state(self) -> Mapping[str, Array]:
        found: Mapping[str, Array] = self._ask("state")
        return found

    def load_state(self, state: Mapping[str, Array]) -> None:
        self._ask("load_state", state=dict(state))

    def freeze(self) -> None:
        self._ask("freeze")

    def update_statistics(self) -> None:
        self._ask("update_statistics")


class StatelessLayer(Layer):
    """A layer whose arrays are kept here: each request holds all of them."""

    def __init__(self, program: Program, config: LayerConfig, initial_variance: float) -> None:
        self.program, self.config = program, config
        channels, dtype = config.num_channels, np.dtype(config.parameter_dtype)
        self.arrays: dict[str, Array | None] = {
            "gamma": np.ones(channels, dtype) if config.gamma else None,
            "beta": np.zeros(channels, dtype) if config.beta else None,
            "running_mean": np.zeros(channels, dtype),
            "running_var": np.full(channels, initial_variance, dtype),
        }
        self.latest: dict[str, Any] | None = None

    def forward(self, x: Array, training: bool) -> Array:
        self.latest = latest = {"config": asdict(self.config), "x": x, "training": training, **self.arrays}
        given = self.program.ask("step", **latest, dy=None)
        self.arrays |= {name: _part(given, name) for name in ("running_mean", "running_var")}
        y: Array = _part(given, "y")
        return y

    def backward(self, dy: Array) -> Gradients:
        given = self.program.ask("step", **recorded(self.latest), dy=dy)
        return Gradients(*(_part(given, name) for name in ("dx", "dgamma", "dbeta")))

    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(*(np.array(self.arrays[name]) for name in ("running_mean", "running_var")))

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self.arrays |= {"running_mean": mean.copy(), "running_var": variance.copy()}

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        given = {"gamma": gamma, "beta": beta}
        self.arrays |= {name: vector.copy() for name, vector in given.items() if vector is not None}

    def state(self) -> Mapping[str, Array]:
        return {name: array.copy() for name, array in self.arrays.items() if array is not None}

    def load_state(self, state: Mapping[str, Array]) -> None:
        self.arrays |= {name: array.copy() for name, array in state.items()}


def _part(given: Any, name: str) -> Any:
    """A part of an answer.

    Raises:
        TypeError: the answer has no such part.
    """
    if not isinstance(given, Mapping) or name not in given:
        raise TypeError(f"the answer has no {name}")
    return given[name]
