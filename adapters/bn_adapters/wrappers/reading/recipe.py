"""A recipe: everything that was read of functions, enough to build layers of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bn_adapters.wrappers.reading.arrays import NumpyArrays
from bn_adapters.wrappers.reading.backward import BackwardReading
from bn_adapters.wrappers.reading.callee import Callee
from bn_adapters.wrappers.reading.moving import Moving
from bn_adapters.wrappers.reading.results import KEPT, WRITTEN, Path, pick
from bn_adapters.wrappers.reading.roles import (
    AXIS,
    CHANNELS,
    EPS,
    MEAN,
    MODE,
    MOMENTUM,
    OUT,
    RESIDUAL,
    VARIANCE,
    X,
)
from bn_adapters.wrappers.reading.saved import SavedParts
from bn_adapters.wrappers.reading.sizes import sizes_of
from bn_conformance.adapter import LayerConfig


@dataclass(frozen=True)
class FunctionRecipe:
    """Functions, read.

    Attributes:
        forward: with the roles of its arguments.
        y: where y is in what it gives.
        arrays: those of its library.
        moving: where the running statistics are after a step.
        backward: how it is called; None where the library differentiates, or nothing does.
        saved: the statistics that the forward saves for its backward; None where it shows none.
        eps: the code's own, where a configuration sets none; None where it has none.
        weighs_old: whether a momentum that is given weighs the old statistic.
        initial: running mean and variance that a fresh layer has.
        start: whether the caller gives a fresh layer's statistics; else the function makes them itself.
    """

    forward: Callee
    y: Path
    arrays: NumpyArrays
    moving: Moving
    backward: BackwardReading | None = None
    saved: SavedParts | None = None
    eps: float | None = None
    weighs_old: bool = False
    initial: tuple[float, float] = (0.0, 1.0)
    start: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)

    def numbers(self, config: LayerConfig) -> dict[str, Any]:
        """eps and momentum, those that a configuration sets."""
        chosen: dict[str, Any] = {}
        if config.eps is not None:
            chosen[EPS] = config.eps
        if config.momentum is not None:
            chosen[MOMENTUM] = config.keep if self.weighs_old else config.momentum
        return chosen

    def values(
        self, config: LayerConfig, x: Any, shape: tuple[int, ...], vectors: Mapping[str, Any], training: bool
    ) -> dict[str, Any]:
        """A value for every role in one call."""
        values = {X: x, MODE: training, CHANNELS: config.num_channels, AXIS: config.channel_axis}
        values |= {role: vector for role, vector in vectors.items() if vector is not None}
        if len(shape) == config.rank:
            values |= sizes_of(shape, config.channel_axis)
        if OUT in self.forward.roles:
            values[OUT] = self.arrays.empty(x)
        if RESIDUAL in self.forward.roles:
            values[RESIDUAL] = self.arrays.zeros(x)
        return values | self.numbers(config)

    def saved_statistics(self, gradients: bool) -> frozenset[Any]:
        """What is declared of saved statistics: whether the forward shows them, and the backward takes them.

        Args:
            gradients: whether there are gradients in training.
        """
        if self.saved is None or self.arrays.name == "jax":
            return frozenset()
        return frozenset({"forward", "backward"} if gradients and self.saved.taken else {"forward"})

    def call(self, values: Mapping[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
        """Call the forward: what it gave, y, and the running statistics that it left, by role."""
        result, kept = self.forward.invoke(values)
        y = values[OUT] if self.y == WRITTEN else pick(result, self.y)
        moved = {}
        for role, path in ((MEAN, self.moving.mean), (VARIANCE, self.moving.variance)):
            if path == KEPT:
                moved[role] = kept[role]
            elif path is not None and path != WRITTEN:
                moved[role] = pick(result, path)
        return result, y, moved
