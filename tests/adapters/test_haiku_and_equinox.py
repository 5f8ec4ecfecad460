"""Haiku's and Equinox's modules against plain float64 NumPy, in a process of their own each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from tests.support.adapter_checks.agreement import CHANNELS
from tests.support.adapter_checks.steps import (
    check_backward_is_of_the_latest_forward,
    check_layers_are_separate,
    draw,
    rows,
)
from tests.support.own_process import Call, process_of

from bn_adapters.equinox_modules import EquinoxBatch, EquinoxEma
from bn_adapters.haiku_modules import HaikuBatchNorm
from bn_conformance.adapter import Adapter, LayerConfig

ADAPTERS: dict[str, type[Adapter]] = {adapter.name: adapter for adapter in (HaikuBatchNorm, EquinoxBatch)}


@pytest.fixture(scope="module", params=ADAPTERS)
def run(request: pytest.FixtureRequest) -> Iterator[Call]:
    """Call a function of an adapter where JAX starts with the adapter's environment."""
    with process_of(ADAPTERS[request.param]) as call:
        yield call


def check_debiasing(adapter: type[Adapter]) -> None:
    """Three steps: hidden averages over 1 - keep ** t, but that Equinox's hidden variance starts at 1."""
    config = LayerConfig(num_channels=CHANNELS, rank=2, momentum=0.25)
    layer = adapter().build(config)
    hidden_mean, hidden_variance = np.zeros(CHANNELS), np.full(CHANNELS, float(adapter is EquinoxBatch))
    for steps in (1, 2, 3):
        x = draw(config) * np.float32(steps)
        layer.forward(x, training=True)
        hidden_mean = 0.75 * hidden_mean + 0.25 * rows(x, config).mean(0)
        hidden_variance = 0.75 * hidden_variance + 0.25 * rows(x, config).var(0)
        got = layer.running_statistics()
        np.testing.assert_allclose(got.mean, hidden_mean / (1 - 0.75**steps), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(got.variance, hidden_variance / (1 - 0.75**steps), rtol=1e-5)
    y, x_rows = layer.forward(x, training=False), rows(x, config)
    expected = (x_rows - got.mean) / np.sqrt(got.variance + 2.0**-10)
    np.testing.assert_allclose(rows(y, config), expected, rtol=1e-4, atol=1e-5)


def check_reload(adapter: type[Adapter]) -> None:
    """The number of steps goes with the state."""
    config = LayerConfig(num_channels=CHANNELS, rank=2, momentum=0.25)
    one, other, x = adapter().build(config), adapter().build(config), draw(config)
    one.forward(x, training=True)
    one.forward(x, training=True)
    other.load_state(one.state())
    for layer in (one, other):
        layer.forward(x * np.float32(2), training=True)
    np.testing.assert_array_equal(other.running_statistics(), one.running_statistics())


def check_set_statistics(adapter: type[Adapter]) -> None:
    """What is set after some steps is read back, and weighed as an average of so many steps."""
    config = LayerConfig(num_channels=CHANNELS, rank=2, momentum=0.25)
    layer, x = adapter().build(config), draw(config)
    layer.forward(x, training=True)
    mean, variance = np.arange(CHANNELS, dtype=np.float32), np.full(CHANNELS, 4.0, np.float32)
    layer.set_running_statistics(mean, variance)
    np.testing.assert_allclose(layer.running_statistics(), [mean, variance], rtol=1e-6)
    layer.forward(x, training=True)
    old = 0.75 * (1 - 0.75) / (1 - 0.75**2)
    expected = old * mean + (1 - old) * rows(x, config).mean(0)
    np.testing.assert_allclose(layer.running_statistics().mean, expected, rtol=1e-5, atol=1e-6)


def check_second_order(adapter: type[Adapter]) -> None:
    """ds_ddy by a difference: the weighed gradients are linear in dy."""
    config = LayerConfig(num_channels=CHANNELS, rank=2)
    layer, x, random = adapter().build(config), draw(config), np.random.default_rng(7)
    dy, v_dx, other = (random.normal(size=x.shape).astype(x.dtype) for _ in range(3))
    v_dgamma, v_dbeta = (random.normal(size=CHANNELS).astype(x.dtype) for _ in range(2))
    layer.set_parameters(v_dgamma + 2, v_dbeta)
    layer.forward(x, training=True)

    def weighed(dy: np.ndarray) -> float:
        dx, dgamma, dbeta = layer.backward(dy)
        assert dgamma is not None
        assert dbeta is not None
        return float((dx * v_dx).sum() + dgamma @ v_dgamma + dbeta @ v_dbeta)

    found = layer.double_backward(dy, v_dx, v_dgamma, v_dbeta)
    assert weighed(dy + other) - weighed(dy) == pytest.approx(float((found.ds_ddy * other).sum()), rel=1e-3, abs=1e-3)
    assert found.ds_dgamma is not None
    assert (found.ds_dx.shape, found.ds_dgamma.shape) == (x.shape, (CHANNELS,))


def check_separate_and_latest(adapter: type[Adapter]) -> None:
    """Of Haiku alone: these layers have their channels last."""
    if adapter is HaikuBatchNorm:
        check_layers_are_separate(adapter)
        check_backward_is_of_the_latest_forward(adapter)


@pytest.mark.parametrize(
    "check", [check_debiasing, check_reload, check_set_statistics, check_second_order, check_separate_and_latest]
)
def test_layers(run: Call, check: Callable[[type[Adapter]], None]) -> None:
    run(check)


@pytest.mark.parametrize("momentum", [None, 0.0])
def test_what_haiku_has_no_number_for_is_said(momentum: float | None) -> None:
    reason = HaikuBatchNorm().supports(LayerConfig(num_channels=2, rank=2, momentum=momentum))
    assert reason is not None
    assert "decay" in reason


def test_equinox_has_no_weights_of_nothing_and_all() -> None:
    assert EquinoxBatch().supports(LayerConfig(num_channels=2, rank=2, momentum=1.0)) is not None
    assert EquinoxBatch().supports(LayerConfig(num_channels=2, rank=2)) is None


def check_inference(adapter: type[Adapter]) -> None:
    config = LayerConfig(num_channels=CHANNELS, rank=2)
    layer, x = adapter().build(config), draw(config)
    mean, variance = np.arange(CHANNELS, dtype=np.float32), np.full(CHANNELS, 4.0, np.float32)
    gamma, beta = np.full(CHANNELS, 2.0, np.float32), np.full(CHANNELS, -1.0, np.float32)
    assert not layer.running_statistics().variance.any()
    layer.set_running_statistics(mean, variance)
    layer.set_parameters(gamma, beta)
    y = layer.forward(x, training=False)
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(4 + 2.0**-10) * 2 - 1, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(layer.backward(x).dx, x * 2 / np.sqrt(4 + 2.0**-10), rtol=1e-5)
    other = adapter().build(config)
    other.load_state(layer.state())
    np.testing.assert_array_equal(other.forward(x, training=False), y)


def test_moving_averages_of_equinox_normalise_in_inference() -> None:
    with process_of(EquinoxEma) as call:
        call(check_inference)
