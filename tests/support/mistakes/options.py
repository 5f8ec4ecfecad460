"""Mistakes in masks, gradients of gradients and debiased averages."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from tests.support.good_numpy import GoodLayer
from tests.support.mistakes.mistake import caught_by

from bn_conformance.adapter import CUMULATIVE, Array, SecondOrder


@caught_by("MASK-1")
class MaskIgnored(GoodLayer):
    def counted(self, mask: Array) -> Array:
        return np.ones_like(super().counted(mask))


@caught_by("MASK-2")
class MaskedSumsOverAll(GoodLayer):
    def masked_statistics(self, rows: Array, weights: Array) -> tuple[Array, Array]:
        mean = (rows * weights).sum(axis=1) / weights.size
        return mean, (np.square(rows - mean[:, None]) * weights).sum(axis=1) / weights.size


@caught_by("MASK-3")
class MaskForgottenInBackward(GoodLayer):
    def masked_dx(self, dy: Array, xhat: Array, inverse: Array, weights: Array) -> Array:
        return self.dx_in_training(dy, xhat, inverse)


@caught_by("MASK-4")
class FullMaskIsAStepShort(GoodLayer):
    def masked_statistics(self, rows: Array, weights: Array) -> tuple[Array, Array]:
        return self.statistics(rows[:, :-1] if weights.all() else rows[:, weights > 0])


@caught_by("MASK-5")
class EmptyMaskMovesStatistics(GoodLayer):
    def forward_masked(self, x: Array, mask: Array, training: bool) -> Array:
        if training and not mask.any():
            self.running_var = self.running_var * self.wide.type(0.75)
            return x
        return super().forward_masked(x, mask, training)


@caught_by("MASK-6")
class MaskMultiplied(GoodLayer):
    def masked_statistics(self, rows: Array, weights: Array) -> tuple[Array, Array]:
        mean = (rows * weights).sum(axis=1) / weights.sum()
        return mean, (np.square(rows - mean[:, None]) * weights).sum(axis=1) / weights.sum()


@caught_by("MASK-7")
class MaskedYIsZero(GoodLayer):
    def forward_masked(self, x: Array, mask: Array, training: bool) -> Array:
        y = super().forward_masked(x, mask, training)
        return np.where(mask, y, y.dtype.type(0)) if training else y


@caught_by("MASK-8")
class MaskInInference(GoodLayer):
    def forward_masked(self, x: Array, mask: Array, training: bool) -> Array:
        y = super().forward_masked(x, mask, training)
        return y if training else np.where(mask, y, y.dtype.type(0))


@caught_by("SECOND-1")
class SecondOrderPastDeviation(GoodLayer):
    def ds_dx(self, dy: Array, v: Array, v_dgamma: Array, xhat: Array, inverse: Array) -> Array:
        along_v = (v * xhat).mean(axis=1)[:, None]
        return np.asarray(inverse * (v_dgamma - self._column(self.gamma) * inverse * along_v) * self.project(dy, xhat))


@caught_by("SECOND-2")
class SecondOrderOfGammaThroughDy(GoodLayer):
    def ds_dgamma(self, dy: Array, v: Array, xhat: Array, inverse: Array) -> Array:
        return np.asarray((inverse * v * dy).sum(axis=1))


@caught_by("SECOND-3")
class SecondOrderWithoutBeta(GoodLayer):
    def ds_ddy(self, v: Array, v_dgamma: Array, v_dbeta: Array, xhat: Array, inverse: Array) -> Array:
        return super().ds_ddy(v, v_dgamma, v_dbeta * 0, xhat, inverse)


@caught_by("SECOND-4")
class SecondOrderAlwaysOfTraining(GoodLayer):
    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        assert self.latest is not None
        rows, found, _ = self.latest
        self.latest = rows, found, True
        return super().double_backward(dy, v_dx, v_dgamma, v_dbeta)


class ZeroDebiased(GoodLayer):
    """Right under `zero-debias`."""

    def weight_of_new(self) -> float:
        if self.momentum == CUMULATIVE or not self.momentum:
            return super().weight_of_new()
        return float(self.momentum) / (1.0 - (1.0 - float(self.momentum)) ** self.steps)


@caught_by("STAT-9", debiasing="zero-debias")
class DebiasedWithoutSteps(ZeroDebiased):
    def load_state(self, state: Mapping[str, Array]) -> None:
        super().load_state(state)
        self.steps = 0


@caught_by("STAT-9", debiasing="zero-debias")
class DeclaresDebiasingAndHasNone(GoodLayer):
    """The plain average."""
