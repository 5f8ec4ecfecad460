"""Mistakes in values that are set, saved or moved between calls."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from tests.support.good_numpy import GoodLayer
from tests.support.mistakes.mistake import caught_by

from bn_conformance.adapter import Array


class _Folded(GoodLayer):
    """Folds inference into a scale and a shift once, and folds again where `forget` is called."""

    folded: tuple[Array, Array] | None = None

    def forget(self) -> None:
        self.folded = None

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if self.uses_batch(training):
            return y
        if self.folded is None:
            scale = self._wide(self.gamma) * self.inverse_in_inference(self._wide(self.running_var))
            self.folded = scale, self._wide(self.beta) - self._wide(self.running_mean) * scale
        scale, shift = self.folded
        return self.finish(self._rows(x) * scale[:, None] + shift[:, None], x.shape)

    def move(self, mean: Array, variance: Array, count: int) -> None:
        super().move(mean, variance, count)
        self.forget()

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        super().set_parameters(gamma, beta)
        self.forget()

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        super().set_running_statistics(mean, variance)
        self.forget()


@caught_by("STATE-6")
class FoldedBeforeParametersWereSet(_Folded):
    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        GoodLayer.set_parameters(self, gamma, beta)


@caught_by("STATE-6")
class FoldedBeforeStatisticsWereSet(_Folded):
    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        GoodLayer.set_running_statistics(self, mean, variance)


@caught_by("STATE-6")
class FoldedBeforeTraining(_Folded):
    def move(self, mean: Array, variance: Array, count: int) -> None:
        GoodLayer.move(self, mean, variance, count)


@caught_by("STATE-6")
class InferenceGradientOfTheFirstGamma(GoodLayer):
    first: Array | None = None

    def dx_in_inference(self, dy: Array, inverse: Array) -> Array:
        self.first = self.gamma if self.first is None else self.first
        return np.asarray(self._column(self.first) * inverse[:, None] * dy)


@caught_by("STATE-6")
class ParametersAreSetOnce(GoodLayer):
    """Compiled in at the first forward."""

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        if self.latest is None:
            super().set_parameters(gamma, beta)


@caught_by("STATE-6")
class SettingParametersResetsStatistics(GoodLayer):
    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        super().set_parameters(gamma, beta)
        self.running_mean = np.zeros_like(self.running_mean)


@caught_by("STATE-2")
class LosesTheNumberOfSteps(GoodLayer):
    def load_state(self, state: Mapping[str, Array]) -> None:
        super().load_state({**state, "steps": np.array(0)})


@caught_by("STATE-2")
class AddsTheNumberOfSteps(GoodLayer):
    def load_state(self, state: Mapping[str, Array]) -> None:
        super().load_state({**state, "steps": state["steps"] + self.steps})


@caught_by("STATE-2")
class KeepsItsStatisticsOnceTrained(GoodLayer):
    def load_state(self, state: Mapping[str, Array]) -> None:
        kept = self.running_mean, self.running_var
        super().load_state(state)
        if kept[0].any():
            self.running_mean, self.running_var = kept


@caught_by("STATE-2")
class FrozenLayerSavesInitialStatistics(GoodLayer):
    def state(self) -> Mapping[str, Array]:
        saved = dict(super().state())
        return {**saved, "running_mean": np.zeros_like(self.running_mean)} if self.frozen else saved


@caught_by("STATE-1")
class StopsMovingAfter256Steps(GoodLayer):
    def moves(self, training: bool) -> bool:
        return super().moves(training) and self.steps < 256


@caught_by("STATE-1")
class CountsInOneByte(GoodLayer):
    def weight_of_new(self) -> float:
        return 1.0 / (self.steps % 256 or 1) if self.momentum == "cumulative" else super().weight_of_new()


@caught_by("STATE-1")
class MomentumZeroIsForgottenAfterInference(GoodLayer):
    evaluated = False

    def forward(self, x: Array, training: bool) -> Array:
        self.evaluated = self.evaluated or not training
        return super().forward(x, training)

    def weight_of_new(self) -> float:
        return super().weight_of_new() or (0.1 if self.evaluated else 0.0)


@caught_by("EVAL-1")
class VarianceHasAFloor(GoodLayer):
    def inverse_in_inference(self, variance: Array) -> Array:
        return super().inverse_in_inference(np.maximum(variance, 1e-12))


@caught_by("EVAL-1")
class VarianceHasACeiling(GoodLayer):
    def inverse_in_inference(self, variance: Array) -> Array:
        return super().inverse_in_inference(np.minimum(variance, 1e12))


@caught_by("EVAL-1")
class HugeVarianceSwitchesOff(GoodLayer):
    """As if 1 / sqrt(variance) could only be a mistake there."""

    def inverse_in_inference(self, variance: Array) -> Array:
        return np.where(variance > 2.0**60, 1.0, super().inverse_in_inference(variance))


@caught_by("EVAL-1")
class InitialStatisticsMeanNoWork(GoodLayer):
    def inverse_in_inference(self, variance: Array) -> Array:
        untouched = bool(np.all(variance == 1)) and not self.running_mean.any()
        return np.ones_like(variance) if untouched else super().inverse_in_inference(variance)


@caught_by("EVAL-1")
class EqualVectorsAreMerged(GoodLayer):
    """Gamma is dropped with the running variance that it equals."""

    def scale_and_shift(self, xhat: Array) -> Array:
        merged = np.array_equal(self.gamma, self.running_var)
        return xhat + self._column(self.beta) if merged else super().scale_and_shift(xhat)


@caught_by("EVAL-1")
class EqualStatisticsMeanOneChannel(GoodLayer):
    def scale_and_shift(self, xhat: Array) -> Array:
        one = bool(np.ptp(self.running_var) == 0) and bool(np.ptp(self.running_mean) == 0) and self.running_mean.any()
        gamma = self._column(self.gamma[:1]) if one else self._column(self.gamma)
        return gamma * xhat + self._column(self.beta)
