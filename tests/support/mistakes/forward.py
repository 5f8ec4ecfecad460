"""Mistakes in what a training forward gives."""

from __future__ import annotations

import numpy as np
from tests.support.good_numpy import DEFAULT_EPS, GoodLayer
from tests.support.mistakes.mistake import caught_by

from bn_conformance.adapter import Array, LayerConfig


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
