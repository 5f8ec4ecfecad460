"""What a layer gives of two shards, against plain float64 NumPy on the whole batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from tests.support.adapter_checks.agreement import CHANNELS
from tests.support.adapter_checks.steps import draw, rows

from bn_conformance.adapter import Adapter, LayerConfig

LAST = LayerConfig(num_channels=CHANNELS, rank=3, channel_axis=2, momentum=0.25)


def close(got: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(got, np.float64), expected, rtol=0, atol=2e-4)


def check_shards(adapter: type[Adapter], first: int | None = None) -> None:
    """`first` is how many entries the first shard has; half of them where it is None."""
    layer, x, dy = adapter().build(LAST), draw(LAST), draw(LAST, offset=0.0)[::-1].copy()
    assert len(x) % 2 == 0
    first = len(x) // 2 if first is None else first
    x_rows, dy_rows = rows(x, LAST), rows(dy, LAST)
    initial = layer.running_statistics().variance
    inverse = 1 / np.sqrt(x_rows.var(0) + 2.0**-10)
    normal = (x_rows - x_rows.mean(0)) * inverse
    close(rows(adapter().build(LAST).forward(x, True), LAST), normal)
    ys = layer.forward_shards([x[:first], x[first:]], True)
    close(rows(np.concatenate(ys), LAST), normal)
    weight = 0.25 if initial[0] else 1.0  # Haiku's first average is the batch's own
    for replica in layer.shard_statistics():
        close(replica.mean, weight * x_rows.mean(0))
        close(replica.variance, (1 - weight) * initial + weight * x_rows.var(0))
    dxs, dgamma, dbeta = layer.backward_shards([dy[:first], dy[first:]])
    close(dgamma, (dy_rows * normal).sum(0))
    close(dbeta, dy_rows.sum(0))
    through = dy_rows.mean(0) + normal * (dy_rows * normal).mean(0)
    close(rows(np.concatenate(dxs), LAST), inverse * (dy_rows - through))
    assert len(layer.shard_statistics()) == 2
