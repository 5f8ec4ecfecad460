"""Layers that find the channel axis by its size, where sizes are equal."""

from __future__ import annotations

import numpy as np
from tests.support.good_numpy import GoodLayer
from tests.support.mistakes.mistake import caught_by

from bn_conformance.adapter import Array


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
