"""Bad input taken for good, and no implementation at all."""

from __future__ import annotations

import numpy as np
from tests.support.good_numpy import GoodLayer
from tests.support.mistakes.mistake import caught_by

from bn_conformance.adapter import Array, Gradients


@caught_by("ERR-1")
class TakesAnyNumberOfChannels(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        return np.zeros_like(x) if x.shape != self._shape(x) else super().forward(x, training)

    def _shape(self, x: Array) -> tuple[int, ...]:
        axis = self.config.channel_axis
        return (*x.shape[:axis], self.config.num_channels, *x.shape[axis + 1 :])


@caught_by("ERR-4")
class TakesAnyDy(GoodLayer):
    def backward(self, dy: Array) -> Gradients:
        assert self.latest is not None
        if self._rows(dy).shape != self.latest[0].shape:
            return Gradients(dy, self.gamma, self.beta)
        return super().backward(dy)


@caught_by("EDGE-1")
class OneValueIsPassedThrough(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        one = training and self._rows(x).shape[1] == 1
        return x.copy() if one else super().forward(x, training)


@caught_by("EDGE-1")
class OneValueGivesNan(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        one = training and self._rows(x).shape[1] == 1
        return np.full_like(x, np.nan) if one else super().forward(x, training)


@caught_by("EDGE-2")
class EmptyBatchSpoilsStatistics(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        if training and x.shape[0] == 0:
            self.running_mean = np.full_like(self.running_mean, np.nan)
            return x.copy()
        return super().forward(x, training)


@caught_by("FWD-1")
class AllZeros(GoodLayer):
    def finish(self, rows: Array, shape: tuple[int, ...]) -> Array:
        return np.zeros(shape, self.storage)


@caught_by("FWD-1")
class AllOnes(GoodLayer):
    def finish(self, rows: Array, shape: tuple[int, ...]) -> Array:
        return np.ones(shape, self.storage)


@caught_by("FWD-1")
class GivesItsInput(GoodLayer):
    def _forward(self, x: Array, training: bool) -> Array:
        super()._forward(x, training)
        return x.copy()
