"""Mistakes that people really make, each a small change of the right implementation, and what must catch it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from tests.conformance.good_numpy import DEFAULT_EPS, GoodLayer

from bn_conformance.adapter import Array, Convention, Gradients, LayerConfig


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


# Memory, purity, bad input.


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
    def forward(self, x: Array, training: bool) -> Array:
        super().forward(x, training)
        return x.copy()
