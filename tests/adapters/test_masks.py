"""Masked calls of Keras and Flax against plain float64 NumPy, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tests.support.adapter_checks.agreement import CHANNELS
from tests.support.adapter_checks.registered import registered_adapters
from tests.support.adapter_checks.steps import draw, rows
from tests.support.own_process import Call, process_of

from bn_conformance.adapter import Adapter, LayerConfig

ADAPTERS = {name: adapter for name, adapter in registered_adapters().items() if adapter.capabilities.masks}
LAST = LayerConfig(num_channels=CHANNELS, rank=3, channel_axis=2, momentum=0.25)


@pytest.fixture(scope="module", params=ADAPTERS)
def run(request: pytest.FixtureRequest) -> Iterator[Call]:
    """Call a function of an adapter where its framework starts with its environment."""
    with process_of(ADAPTERS[request.param]) as call:
        yield call


def close(got: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(got, np.float64), expected, rtol=0, atol=2e-4)


def check_masked_training(adapter: type[Adapter]) -> None:
    layer, x, dy = adapter().build(LAST), draw(LAST), draw(LAST, offset=0.0)[::-1].copy()
    mask = (np.arange(x.shape[0] * x.shape[1]) % 3 != 1).reshape(*x.shape[:2], 1)
    weights, x_rows, dy_rows = mask.reshape(-1, 1).astype(np.float64), rows(x, LAST), rows(dy, LAST)
    counted = x_rows[weights[:, 0] > 0]
    inverse = 1 / np.sqrt(counted.var(0) + 2.0**-10)
    normal = (x_rows - counted.mean(0)) * inverse
    close(rows(layer.forward_masked(x, mask, True), LAST), normal)
    close(layer.running_statistics().mean, 0.25 * counted.mean(0))
    close(layer.running_statistics().variance, 0.75 + 0.25 * counted.var(0))
    dx, dgamma, dbeta = layer.backward(dy)
    close(dgamma, (dy_rows * normal).sum(0))
    close(dbeta, dy_rows.sum(0))
    through = (dy_rows.sum(0) + normal * (dy_rows * normal).sum(0)) / len(counted)
    close(rows(dx, LAST), inverse * (dy_rows - weights * through))


def check_inference_takes_no_mask(adapter: type[Adapter]) -> None:
    layer, x = adapter().build(LAST), draw(LAST)
    mask = np.zeros((*x.shape[:2], 1), np.bool_)
    np.testing.assert_array_equal(layer.forward_masked(x, mask, False), layer.forward(x, False))


def check_the_next_call_has_no_mask(adapter: type[Adapter]) -> None:
    one, other, x = adapter().build(LAST), adapter().build(LAST), draw(LAST)
    mask = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], 1) > 4
    one.forward_masked(x, mask, True)
    np.testing.assert_array_equal(one.forward(x, True), other.forward(x, True))
    np.testing.assert_array_equal(one.backward(x).dx, other.backward(x).dx)


@pytest.mark.parametrize(
    "check", [check_masked_training, check_inference_takes_no_mask, check_the_next_call_has_no_mask]
)
def test_masks(run: Call, check: Callable[[type[Adapter]], None]) -> None:
    run(check)
