"""Mistakes in the gradients."""

from __future__ import annotations

import numpy as np
from tests.support.good_numpy import GoodLayer
from tests.support.mistakes.mistake import caught_by

from bn_conformance.adapter import Array, Gradients


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
