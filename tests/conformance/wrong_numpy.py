"""Mistakes that people really make, each a small change of the right implementation, and what must catch it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tests.conformance.good_numpy import DEFAULT_EPS, GoodLayer

from bn_conformance.adapter import (
    CUMULATIVE,
    Array,
    Convention,
    Gradients,
    LayerConfig,
    RunningStatistics,
    SecondOrder,
)


@dataclass(frozen=True)
class Mistake:
    """A wrong layer, the clause that must be found broken, and the convention that it declares."""

    layer: type[GoodLayer]
    clause: str
    convention: Convention


MISTAKES: dict[str, Mistake] = {}


def caught_by(clause: str, **convention: object) -> Callable[[type[GoodLayer]], type[GoodLayer]]:
    def register(layer: type[GoodLayer]) -> type[GoodLayer]:
        MISTAKES[layer.__name__] = Mistake(layer, clause, Convention(**convention))  # type: ignore[arg-type]
        return layer

    return register


# What a training forward gives.


@caught_by("FWD-1")
class UnbiasedVarianceInY(GoodLayer):
    def inverse(self, variance: Array) -> Array:
        count = self.count if hasattr(self, "count") else 2
        return super().inverse(variance * count / (count - 1))

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        self.count = rows.shape[1]
        return super().statistics(rows)

    def inverse_in_inference(self, variance: Array) -> Array:
        return super().inverse(variance)


@caught_by("FWD-2")
class EpsOutsideTheRoot(GoodLayer):
    def inverse(self, variance: Array) -> Array:
        return np.asarray(1.0 / (np.sqrt(variance) + self.eps))


@caught_by("FWD-2")
class EpsAddedTwice(GoodLayer):
    def inverse(self, variance: Array) -> Array:
        return np.asarray(1.0 / np.sqrt(variance + 2 * self.eps))

    def inverse_in_inference(self, variance: Array) -> Array:
        return super().inverse(variance)


@caught_by("FWD-2")
class EpsFixed(GoodLayer):
    def __init__(self, config: LayerConfig) -> None:
        super().__init__(config)
        self.eps = DEFAULT_EPS


@caught_by("FWD-2")
class EpsAsAFloor(GoodLayer):
    def inverse(self, variance: Array) -> Array:
        return np.asarray(1.0 / np.sqrt(np.maximum(variance, self.eps)))


@caught_by("FWD-5")
class OtherDefaultEps(GoodLayer):
    def __init__(self, config: LayerConfig) -> None:
        super().__init__(config)
        self.eps = 1e-3 if config.eps is None else config.eps


@caught_by("FWD-3")
class GammaIgnored(GoodLayer):
    def scale_and_shift(self, xhat: Array) -> Array:
        return xhat + self._column(self.beta)


@caught_by("FWD-3")
class BetaIgnored(GoodLayer):
    def scale_and_shift(self, xhat: Array) -> Array:
        return self._column(self.gamma) * xhat


@caught_by("FWD-3")
class GammaPlusOne(GoodLayer):
    def scale_and_shift(self, xhat: Array) -> Array:
        return (1.0 + self._column(self.gamma)) * xhat + self._column(self.beta)


@caught_by("FWD-3")
class GammaZeroMeansNoGamma(GoodLayer):
    def scale_and_shift(self, xhat: Array) -> Array:
        gamma = self._column(self.gamma)
        return np.where(gamma == 0, 1.0, gamma) * xhat + self._column(self.beta)


@caught_by("FWD-4")
class LayerWithoutBetaShifts(GoodLayer):
    def scale_and_shift(self, xhat: Array) -> Array:
        return super().scale_and_shift(xhat) + (0.0 if self.config.beta else 0.125)


@caught_by("FWD-1")
class StatisticsPerSample(GoodLayer):
    """Instance normalisation: every entry of the batch has statistics of its own."""

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if not training or x.ndim == 2:
            return y
        parts = [GoodLayer.forward(self._fresh(), x[index : index + 1], True) for index in range(x.shape[0])]
        return np.concatenate(parts)

    def _fresh(self) -> GoodLayer:
        fresh = GoodLayer(self.config)
        fresh.set_parameters(self.gamma, self.beta)
        return fresh


@caught_by("LAYOUT-2")
class FirstAxisOfTheRightSize(GoodLayer):
    def axis(self, x: Array) -> int:
        sizes = x.shape[1:]
        channels = self.config.num_channels
        return 1 + sizes.index(channels) if channels in sizes else self.config.channel_axis


@caught_by("LAYOUT-1")
class LastAxisOfTheRightSize(GoodLayer):
    def axis(self, x: Array) -> int:
        sizes = x.shape[:0:-1]
        channels = self.config.num_channels
        return x.ndim - 1 - sizes.index(channels) if channels in sizes else self.config.channel_axis


@caught_by("DTYPE-1")
class WidensHalf(GoodLayer):
    def finish(self, rows: Array, shape: tuple[int, ...]) -> Array:
        dtype = np.dtype(np.float32) if self.storage.itemsize == 2 else self.storage
        return self._back(rows, shape, dtype)


@caught_by("DTYPE-3")
class DoubleThroughSingle(GoodLayer):
    work = np.dtype(np.float32)


@caught_by("DTYPE-4")
class StatisticsRoundedToHalf(GoodLayer):
    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        super().set_running_statistics(mean.astype(self.storage), variance.astype(self.storage))


@caught_by("DTYPE-5")
class ParametersRoundedToHalf(GoodLayer):
    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        rounded = (None if part is None else part.astype(self.storage).astype(part.dtype) for part in (gamma, beta))
        super().set_parameters(*rounded)


@caught_by("EDGE-4")
class NanBecomesZero(GoodLayer):
    def finish(self, rows: Array, shape: tuple[int, ...]) -> Array:
        return super().finish(np.nan_to_num(rows), shape)


@caught_by("EDGE-4")
class NanSpreads(GoodLayer):
    def scale_and_shift(self, xhat: Array) -> Array:
        return super().scale_and_shift(xhat) + 0.0 * xhat.sum()


@caught_by("NUM-3")
class NoEpsForConstants(GoodLayer):
    def inverse(self, variance: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.where(variance == 0, np.inf, super().inverse(variance))


# Running statistics.


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


# Inference and state.


@caught_by("EVAL-2")
class NoEpsInInference(GoodLayer):
    def inverse_in_inference(self, variance: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(1.0 / np.sqrt(variance))


@caught_by("EVAL-1")
class InferenceUsesTheBatch(GoodLayer):
    def uses_batch(self, training: bool) -> bool:
        return True

    def moves(self, training: bool) -> bool:
        return training


@caught_by("EVAL-3")
class InferenceBlendsTheBatchMean(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        kept = self.running_mean
        if not training and x.shape[0] > 0:
            self.running_mean = (0.5 * self._wide(kept) + 0.5 * self._rows(x).mean(axis=1)).astype(self.wide)
        y = super().forward(x, training)
        if not training:
            self.running_mean = kept
        return y


@caught_by("STATE-2")
class LosesRunningVariance(GoodLayer):
    def load_state(self, state: Mapping[str, Array]) -> None:
        super().load_state({**state, "running_var": np.ones_like(state["running_var"])})


@caught_by("STATE-2")
class LosesGamma(GoodLayer):
    def load_state(self, state: Mapping[str, Array]) -> None:
        super().load_state({**state, "gamma": np.ones_like(state["gamma"])})


@caught_by("STATE-3")
class FrozenLayerMoves(GoodLayer):
    def moves(self, training: bool) -> bool:
        return training

    def uses_batch(self, training: bool) -> bool:
        return training and not self.frozen

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if training and self.frozen:
            rows = self._rows(x)
            self.move(*self.statistics(rows), rows.shape[1])
        return y


@caught_by("STATE-3")
class FreezeDoesNothing(GoodLayer):
    def freeze(self) -> None:
        return


# Gradients.


@caught_by("GRAD-1")
class DxWithoutMeanTerm(GoodLayer):
    def dx_in_training(self, dy: Array, xhat: Array, inverse: Array) -> Array:
        inner = dy - xhat * (dy * xhat).mean(axis=1)[:, None]
        return np.asarray(self._column(self.gamma) * inverse[:, None] * inner)


@caught_by("GRAD-1")
class DxWithoutVarianceTerm(GoodLayer):
    def dx_in_training(self, dy: Array, xhat: Array, inverse: Array) -> Array:
        inner = dy - dy.mean(axis=1)[:, None]
        return np.asarray(self._column(self.gamma) * inverse[:, None] * inner)


@caught_by("GRAD-1")
class DxAsIfStatisticsWereConstant(GoodLayer):
    def dx_in_training(self, dy: Array, xhat: Array, inverse: Array) -> Array:
        return self.dx_in_inference(dy, inverse)


@caught_by("GRAD-1")
class DxWithoutGamma(GoodLayer):
    def dx_in_training(self, dy: Array, xhat: Array, inverse: Array) -> Array:
        inner = dy - dy.mean(axis=1)[:, None] - xhat * (dy * xhat).mean(axis=1)[:, None]
        return np.asarray(inverse[:, None] * inner)


@caught_by("GRAD-4")
class InferenceGradientThroughTheBatch(GoodLayer):
    def dx_in_inference(self, dy: Array, inverse: Array) -> Array:
        inner = dy - dy.mean(axis=1)[:, None]
        return np.asarray(self._column(self.gamma) * inverse[:, None] * inner)


@caught_by("GRAD-2")
class NoDgamma(GoodLayer):
    def backward(self, dy: Array) -> Gradients:
        return super().backward(dy)._replace(dgamma=None)


@caught_by("GRAD-2")
class DgammaFromUncentredX(GoodLayer):
    def dgamma(self, dy: Array, xhat: Array, rows: Array) -> Array:
        assert self.latest is not None
        return np.asarray((dy * rows).sum(axis=1) * self.latest[1][1])


@caught_by("GRAD-2")
class DgammaIsAMean(GoodLayer):
    def dgamma(self, dy: Array, xhat: Array, rows: Array) -> Array:
        return super().dgamma(dy, xhat, rows) / max(dy.shape[1], 1)


@caught_by("GRAD-3")
class DbetaIsAMean(GoodLayer):
    def dbeta(self, dy: Array) -> Array:
        return super().dbeta(dy) / max(dy.shape[1], 1)


@caught_by("GRAD-1")
class GradientOfTheFirstForward(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        kept = self.latest
        y = super().forward(x, training)
        self.latest = self.latest if kept is None or kept[0].shape != self._rows(x).shape else kept
        return y


@caught_by("GRAD-5")
class SmallGradientsFlushed(GoodLayer):
    def dx_in_training(self, dy: Array, xhat: Array, inverse: Array) -> Array:
        dx = super().dx_in_training(dy, xhat, inverse)
        return np.where(np.abs(dx) < 1e-6, 0.0, dx)


@caught_by("GRAD-5")
class GradientsClipped(GoodLayer):
    def dx_in_training(self, dy: Array, xhat: Array, inverse: Array) -> Array:
        return np.clip(super().dx_in_training(dy, xhat, inverse), -1e3, 1e3)


# Values that are set, saved or moved between calls.


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


# Axes of equal sizes.


class _Confused(GoodLayer):
    """Takes the last axis (or, of (N, C), the first) for that of the channels where all have one size."""

    confused = False

    def forward(self, x: Array, training: bool) -> Array:
        self.confused = len(set(x.shape)) == 1
        return super().forward(x, training)

    def along(self, vector: Array, count: int) -> Array:
        """A vector as it meets rows of `count` numbers."""
        right = self._wide(vector)[:, None]
        return np.resize(self._wide(vector), count)[None, :] if self.confused else right

    def summed(self, rows: Array) -> Array:
        """Sums of rows for each entry of the axis."""
        if not self.confused:
            return np.asarray(rows.sum(axis=1))
        return np.asarray(rows.reshape(-1, rows.shape[0]).sum(axis=0))


@caught_by("LAYOUT-5")
class GammaAlongAnotherAxis(_Confused):
    def scale_and_shift(self, xhat: Array) -> Array:
        return self.along(self.gamma, xhat.shape[1]) * xhat + self._column(self.beta)


@caught_by("LAYOUT-5")
class BetaAlongAnotherAxis(_Confused):
    def scale_and_shift(self, xhat: Array) -> Array:
        return self._column(self.gamma) * xhat + self.along(self.beta, xhat.shape[1])


@caught_by("LAYOUT-5")
class RunningMeanAlongAnotherAxis(_Confused):
    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if self.uses_batch(training):
            return y
        rows = self._rows(x)
        centred = rows - self.along(self.running_mean, rows.shape[1])
        inverse = self.inverse_in_inference(self._wide(self.running_var))[:, None]
        return self.finish(self.scale_and_shift(centred * inverse), x.shape)


@caught_by("LAYOUT-5")
class RunningVarianceAlongAnotherAxis(_Confused):
    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if self.uses_batch(training):
            return y
        rows = self._rows(x)
        centred = rows - self._column(self.running_mean)
        inverse = self.inverse_in_inference(self.along(self.running_var, rows.shape[1]))
        return self.finish(self.scale_and_shift(centred * inverse), x.shape)


@caught_by("LAYOUT-5")
class GammaAlongAnotherAxisInDx(_Confused):
    def dx_in_training(self, dy: Array, xhat: Array, inverse: Array) -> Array:
        inner = dy - dy.mean(axis=1)[:, None] - xhat * (dy * xhat).mean(axis=1)[:, None]
        return np.asarray(self.along(self.gamma, dy.shape[1]) * inverse[:, None] * inner)


@caught_by("LAYOUT-5")
class DgammaOverAnotherAxis(_Confused):
    def dgamma(self, dy: Array, xhat: Array, rows: Array) -> Array:
        return self.summed(dy * xhat)


@caught_by("LAYOUT-5")
class DbetaOverAnotherAxis(_Confused):
    def dbeta(self, dy: Array) -> Array:
        return self.summed(dy)


@caught_by("LAYOUT-5")
class RunningMeanOfAnotherAxis(_Confused):
    def move(self, mean: Array, variance: Array, count: int) -> None:
        if self.confused and self.rows is not None:
            mean = self.summed(self.rows) / count
        super().move(mean, variance, count)

    rows: Array | None = None

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        self.rows = rows
        return super().statistics(rows)


@caught_by("LAYOUT-5")
class ImageChannelsLastWhereSizesAreEqual(GoodLayer):
    """Guesses the layout from the shape, and is right wherever the shape can tell."""

    def axis(self, x: Array) -> int:
        return 1 if x.ndim == 4 and len(set(x.shape)) == 1 else self.config.channel_axis


# Memory, purity, bad input.


@caught_by("LAYOUT-3")
class DyInTheOrderOfX(GoodLayer):
    order: str = "C"

    def forward(self, x: Array, training: bool) -> Array:
        self.order = "F" if x.flags.f_contiguous and not x.flags.c_contiguous else "C"
        return super().forward(x, training)

    def backward(self, dy: Array) -> Gradients:
        if self.order == "F":
            dy = np.frombuffer(dy.tobytes(order="A"), dy.dtype).reshape(dy.shape, order="F")
        return super().backward(dy)


@caught_by("LAYOUT-3")
class IgnoresStridesOfDy(GoodLayer):
    def backward(self, dy: Array) -> Gradients:
        if not dy.flags.c_contiguous and self.latest is not None and dy.strides[-1] == 2 * dy.itemsize:
            assert isinstance(dy.base, np.ndarray)
            dy = dy.base.reshape(-1)[: dy.size].reshape(dy.shape)
        return super().backward(dy)


@caught_by("LAYOUT-3")
class IgnoresTheSignOfStrides(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        forwards = tuple(slice(None, None, -1 if stride < 0 else 1) for stride in x.strides)
        return super().forward(x[forwards], training)


@caught_by("LAYOUT-3")
class IgnoresStridesOfVectors(GoodLayer):
    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        super().set_parameters(self.read(gamma), self.read(beta))

    def read(self, vector: Array | None) -> Array | None:
        if vector is None or vector.flags.c_contiguous or not isinstance(vector.base, np.ndarray):
            return vector
        return vector.base[: vector.size]


@caught_by("LAYOUT-3")
class IgnoresStridesOfStatistics(GoodLayer):
    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        read = [part if part.base is None else np.asarray(part.base)[: part.size] for part in (mean, variance)]
        super().set_running_statistics(*read)


@caught_by("PURE-1")
class WritesBetweenTheElements(GoodLayer):
    """A kernel that clears whole cache lines of a strided x."""

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if isinstance(x.base, np.ndarray) and x.base.shape[-1] == 2 * x.shape[-1]:
            x.base[..., 1::2] = 0
        return y


@caught_by("PURE-3")
class SavedTensorsAreShared(GoodLayer):
    """Of all layers the latest forward counts."""

    shared: ClassVar[list[tuple[Array, Array, bool] | None]] = [None]

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        self.shared[0] = self.latest
        return y

    def backward(self, dy: Array) -> Gradients:
        self.latest = self.shared[0]
        return super().backward(dy)


@caught_by("PURE-3")
class RunningStatisticsAreShared(GoodLayer):
    held: ClassVar[dict[str, Array]] = {}

    def __init__(self, config: LayerConfig) -> None:
        super().__init__(config)
        self.held[self.key] = self.running_mean

    @property
    def key(self) -> str:
        return f"{self.config}"

    def forward(self, x: Array, training: bool) -> Array:
        self.running_mean = self.held.get(self.key, self.running_mean)
        y = super().forward(x, training)
        self.held[self.key] = self.running_mean
        return y

    def running_statistics(self) -> RunningStatistics:
        self.running_mean = self.held[self.key]
        return super().running_statistics()

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        super().set_running_statistics(mean, variance)
        self.held[self.key] = self.running_mean


@caught_by("PURE-3")
class ParametersAreShared(GoodLayer):
    """Gamma lives with the kernel that was compiled for a configuration."""

    kernels: ClassVar[dict[str, Array]] = {}

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        super().set_parameters(gamma, beta)
        self.kernels[f"{self.config}"] = self.gamma

    def dx_in_training(self, dy: Array, xhat: Array, inverse: Array) -> Array:
        self.gamma = self.kernels.get(f"{self.config}", self.gamma)
        return super().dx_in_training(dy, xhat, inverse)


@caught_by("PURE-3")
class ScratchOfTheShape(GoodLayer):
    """Normalised values wait for the backward in memory that is kept by shape."""

    scratch: ClassVar[dict[tuple[int, ...], Array]] = {}

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        assert self.latest is not None
        rows = self.latest[0]
        self.scratch.setdefault(rows.shape, np.empty_like(rows))[...] = rows
        return y

    def backward(self, dy: Array) -> Gradients:
        assert self.latest is not None
        self.latest = self.scratch[self.latest[0].shape], *self.latest[1:]
        return super().backward(dy)


@caught_by("PURE-4")
class BackwardOverwritesX(GoodLayer):
    x: Array | None = None

    def forward(self, x: Array, training: bool) -> Array:
        self.x = x
        return super().forward(x, training)

    def backward(self, dy: Array) -> Gradients:
        gradients = super().backward(dy)
        if self.x is not None and self.x.flags.writeable:
            self.x[...] = gradients.dx
        return gradients


@caught_by("PURE-4")
class NextForwardOverwritesDy(GoodLayer):
    dy: Array | None = None

    def forward(self, x: Array, training: bool) -> Array:
        if self.dy is not None and self.dy.flags.writeable:
            self.dy[...] = 0
        return super().forward(x, training)

    def backward(self, dy: Array) -> Gradients:
        self.dy = dy
        return super().backward(dy)


class _Reuses(GoodLayer):
    """Gives results in memory that the next result of the same kind and shape is written to."""

    def reused(self, name: str, result: Array) -> Array:
        kept: Array | None = getattr(self, f"kept_{name}", None)
        if kept is None or kept.shape != result.shape:
            setattr(self, f"kept_{name}", result)
            return result
        kept[...] = result
        return kept


@caught_by("PURE-4")
class ReusesTheMemoryOfY(_Reuses):
    def forward(self, x: Array, training: bool) -> Array:
        return self.reused("y", super().forward(x, training))


@caught_by("PURE-4")
class ReusesTheMemoryOfDx(_Reuses):
    def backward(self, dy: Array) -> Gradients:
        gradients = super().backward(dy)
        return gradients._replace(dx=self.reused("dx", gradients.dx))


@caught_by("PURE-4")
class ReusesTheMemoryOfDgamma(_Reuses):
    def backward(self, dy: Array) -> Gradients:
        gradients = super().backward(dy)
        assert gradients.dgamma is not None
        return gradients._replace(dgamma=self.reused("dgamma", gradients.dgamma))


@caught_by("PURE-4")
class BackwardOverwritesY(GoodLayer):
    y: Array | None = None

    def forward(self, x: Array, training: bool) -> Array:
        self.y = super().forward(x, training)
        return self.y

    def backward(self, dy: Array) -> Gradients:
        gradients = super().backward(dy)
        if self.y is not None:
            self.y[...] = gradients.dx
        return gradients


@caught_by("PURE-4")
class AllLayersWriteToOneY(GoodLayer):
    outputs: ClassVar[dict[tuple[int, ...], Array]] = {}

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if training and y.dtype == np.float32:
            kept = self.outputs.setdefault(y.shape, y)
            kept[...] = y
            return kept
        return y


class _InPlace(GoodLayer):
    """Moves running statistics in the memory that they have."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        kept = self.running_mean, self.running_var
        super().move(mean, variance, count)
        for old, new in zip(kept, (self.running_mean, self.running_var), strict=True):
            old[...] = new
        self.running_mean, self.running_var = kept


@caught_by("PURE-4")
class GivesLiveStatistics(_InPlace):
    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(self.running_mean, self.running_var)


@caught_by("STATE-1")
class MovesTheStatisticsThatItWasGiven(_InPlace):
    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self.running_mean, self.running_var = mean, variance


@caught_by("STATE-2")
class SavesLiveStatistics(_InPlace):
    def state(self) -> Mapping[str, Array]:
        return {**super().state(), "running_mean": self.running_mean, "running_var": self.running_var}


@caught_by("STATE-2")
class MovesTheStatisticsThatItLoaded(_InPlace):
    def load_state(self, state: Mapping[str, Array]) -> None:
        super().load_state(state)
        self.running_mean, self.running_var = state["running_mean"], state["running_var"]


@caught_by("STATE-6")
class BackwardScalesTheGammaThatItWasGiven(GoodLayer):
    """Keeps gamma by reference and folds the inverse deviation into it."""

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        super().set_parameters(gamma, beta)
        self.given = gamma

    def backward(self, dy: Array) -> Gradients:
        if self.given is not None and self.latest is not None:
            self.given *= self.latest[1][1].astype(self.wide)
        return super().backward(dy)


class _Threaded(GoodLayer):
    """Sums in a block for each thread."""

    def blocks(self, rows: Array) -> list[Array]:
        return np.array_split(rows, self.threads, axis=1)


@caught_by("PURE-5")
class ThreadsLeaveARest(_Threaded):
    def statistics(self, rows: Array) -> tuple[Array, Array]:
        return super().statistics(rows[:, : rows.shape[1] - rows.shape[1] % self.threads])


@caught_by("PURE-5")
class BlocksOfUnequalSizesWeighAlike(_Threaded):
    def dbeta(self, dy: Array) -> Array:
        means = [block.mean(axis=1) for block in self.blocks(dy)]
        return np.asarray(np.mean(means, axis=0) * dy.shape[1])


@caught_by("PURE-5")
class ThreadsAddVariancesOnly(_Threaded):
    """Combines blocks without the term for the distance of their means (Chan, Golub and LeVeque's delta)."""

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        squares = [np.square(block - block.mean(axis=1)[:, None]).sum(axis=1) for block in self.blocks(rows)]
        return rows.mean(axis=1), np.asarray(sum(squares) / rows.shape[1])


@caught_by("PURE-5")
class ThreadsAddInAnyOrder(_Threaded):
    calls = 0

    def dgamma(self, dy: Array, xhat: Array, rows: Array) -> Array:
        ThreadsAddInAnyOrder.calls += 1
        turn = ThreadsAddInAnyOrder.calls % 3 if self.threads > 1 else 0
        return super().dgamma(dy, xhat, rows) * (1.0 + turn * 2.0**-22)


@caught_by("PURE-6")
class ScratchIsSharedByThreads(GoodLayer):
    """Sound one call after the other."""

    scratch: ClassVar[dict[str, Array]] = {}

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        self.scratch["rows"] = rows
        time.sleep(0.001)
        return super().statistics(self.scratch["rows"])


@caught_by("PURE-6")
class GradientsMeetInOneBuffer(GoodLayer):
    sums: ClassVar[dict[str, Array]] = {}

    def dbeta(self, dy: Array) -> Array:
        self.sums["dbeta"] = super().dbeta(dy)
        time.sleep(0.001)
        return self.sums["dbeta"]


@caught_by("LAYOUT-3")
class IgnoresStrides(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        if not x.flags.c_contiguous:
            x = np.frombuffer(x.tobytes(order="A"), x.dtype).reshape(x.shape)
        return super().forward(x, training)


@caught_by("PURE-1")
class NormalisesInPlace(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if x.flags.writeable:
            x[...] = y
        return y


@caught_by("PURE-1")
class BackwardOverwritesDy(GoodLayer):
    def backward(self, dy: Array) -> Gradients:
        gradients = super().backward(dy)
        if dy.flags.writeable:
            dy[...] = 0
        return gradients


@caught_by("PURE-1")
class GivesAViewOfX(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if x.flags.writeable and x.shape == y.shape:
            x[...] = y
            return x[:]
        return y


class _Noise:
    calls = 0


@caught_by("PURE-2")
class NotTheSameTwice(GoodLayer):
    def scale_and_shift(self, xhat: Array) -> Array:
        _Noise.calls += 1
        return super().scale_and_shift(xhat) * (1.0 + (_Noise.calls % 2) * 2.0**-22)


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


# No implementation at all.


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


# Masks.


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


# Gradients of gradients.


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


# Debiased averages.


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
