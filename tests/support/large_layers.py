"""A layer that is right for few values and wrong for millions."""

from __future__ import annotations

import numpy as np
from tests.support.good_numpy import GoodLayer, GoodNumpy

from bn_conformance.adapter import Array, Layer, LayerConfig


def running_sum(rows: Array) -> Array:
    """The sum of each row, one value after the other in float32."""
    return np.asarray(np.add.accumulate(rows.astype(np.float32), axis=1)[:, -1], np.float64)


class _Layer(GoodLayer):
    def statistics(self, rows: Array) -> tuple[Array, Array]:
        mean = running_sum(rows) / rows.shape[1]
        return mean, running_sum(np.square(rows - mean[:, None])) / rows.shape[1]

    def dbeta(self, dy: Array) -> Array:
        return running_sum(dy)


class OneRunningSum(GoodNumpy):
    """Adds up the statistics and dbeta in one running sum of float32."""

    def build(self, config: LayerConfig) -> Layer:
        return _Layer(config)
