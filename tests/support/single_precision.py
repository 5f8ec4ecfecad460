"""Layers that compute in float32: three right algorithms, and raw moments, which are unstable."""

from __future__ import annotations

import numpy as np
from tests.support.good_numpy import EVERYTHING, GoodLayer

from bn_conformance.adapter import Array, Capabilities

SINGLE = Capabilities(
    dtypes=frozenset({"float32"}),
    layouts=EVERYTHING.layouts,
    affine=EVERYTHING.affine,
    cumulative=True,
    freeze=True,
    masks=True,
    second_order=frozenset({"training", "inference"}),
)


class TwoPassInSingle(GoodLayer):
    work = np.dtype(np.float32)


class WelfordInSingle(GoodLayer):
    work = np.dtype(np.float32)

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        mean = np.zeros(rows.shape[0], rows.dtype)
        squares = np.zeros_like(mean)
        for index, column in enumerate(rows.T, 1):
            off = column - mean
            mean = mean + off / np.float32(index)
            squares = squares + off * (column - mean)
        return mean, squares / np.float32(rows.shape[1])


class FoldedInSingle(GoodLayer):
    """y = a * x + b in inference, as a fused kernel has it."""

    work = np.dtype(np.float32)

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if self.uses_batch(training):
            return y
        scale = self._wide(self.gamma) * self.inverse_in_inference(self._wide(self.running_var))
        shift = self._wide(self.beta) - self._wide(self.running_mean) * scale
        return self.finish(self._rows(x) * scale[:, None] + shift[:, None], x.shape)


class RawMomentsInSingle(GoodLayer):
    """Unstable: E[x^2] - E[x]^2."""

    work = np.dtype(np.float32)

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        mean = rows.mean(axis=1)
        return mean, np.maximum(np.square(rows).mean(axis=1) - np.square(mean), np.float32(0))
