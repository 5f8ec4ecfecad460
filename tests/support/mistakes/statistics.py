"""Mistakes in the running statistics."""

from __future__ import annotations

import numpy as np
from tests.support.good_numpy import GoodLayer
from tests.support.mistakes.mistake import caught_by

from bn_conformance.adapter import Array, Gradients


@caught_by("STAT-1")
class MomentumSwapped(GoodLayer):
    def weight_of_new(self) -> float:
        return 1.0 - super().weight_of_new()


@caught_by("STAT-2")
class RunningVarianceBiased(GoodLayer):
    def move(self, mean: Array, variance: Array, count: int) -> None:
        super().move(mean, variance * ((count - 1) / count), count)


@caught_by("STAT-2", running_variance="biased")
class RunningVarianceUnbiased(GoodLayer):
    """The right layer under the convention `biased`."""


@caught_by("STAT-2")
class EpsInRunningVariance(GoodLayer):
    def move(self, mean: Array, variance: Array, count: int) -> None:
        super().move(mean, variance + self.eps, count)


@caught_by("STAT-2")
class RunningDeviation(GoodLayer):
    def move(self, mean: Array, variance: Array, count: int) -> None:
        super().move(mean, np.sqrt(variance), count)


@caught_by("STAT-3")
class RunningVarianceStartsAtZero(GoodLayer):
    initial_variance = 0.0


@caught_by("STAT-4")
class NeverMoves(GoodLayer):
    def moves(self, training: bool) -> bool:
        return False


@caught_by("STAT-4")
class MovesInBackward(GoodLayer):
    pending: tuple[Array, Array, int] | None = None

    def move(self, mean: Array, variance: Array, count: int) -> None:
        self.pending = mean, variance, count

    def backward(self, dy: Array) -> Gradients:
        if self.pending is not None:
            super().move(*self.pending)
        self.pending = None
        return super().backward(dy)


@caught_by("STAT-4")
class MovesTwice(GoodLayer):
    def move(self, mean: Array, variance: Array, count: int) -> None:
        super().move(mean, variance, count)
        super().move(mean, variance, count)


@caught_by("STAT-5")
class MovesInInference(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if not training:
            rows = self._rows(x)
            self.move(*self.statistics(rows), max(rows.shape[1], 2))
        return y


@caught_by("STAT-6")
class OtherDefaultMomentum(GoodLayer):
    def weight_of_new(self) -> float:
        return 0.01 if self.config.momentum is None else super().weight_of_new()


@caught_by("STAT-7")
class MomentumZeroMeansDefault(GoodLayer):
    def weight_of_new(self) -> float:
        return super().weight_of_new() or 0.1


@caught_by("STAT-8")
class CumulativeCountsTheInitialValue(GoodLayer):
    def weight_of_new(self) -> float:
        return 1.0 / (self.steps + 1) if self.momentum == "cumulative" else super().weight_of_new()
