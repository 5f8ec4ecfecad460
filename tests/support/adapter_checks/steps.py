"""Steps of a layer against plain float64 NumPy; each check takes an adapter and runs where its framework started."""

from __future__ import annotations

from typing import Any

import ml_dtypes  # noqa: F401  # gives NumPy the dtype bfloat16
import numpy as np
from tests.support.adapter_checks.agreement import CHANNELS

from bn_conformance.adapter import Adapter, LayerConfig

RELATIVE_ERROR = {"float16": 8e-3, "bfloat16": 6e-2, "float32": 3e-6, "float64": 3e-15}


def draw(config: LayerConfig, offset: float = 1.0) -> Any:
    shape = [8, 2, 3, 2, 2][: config.rank]
    shape[config.channel_axis] = CHANNELS
    return (np.random.default_rng(1).normal(offset, 2.0, shape)).astype(config.dtype)


def rows(array: Any, config: LayerConfig) -> Any:
    """All values of a channel in a column, in float64."""
    return np.moveaxis(array, config.channel_axis, -1).reshape(-1, config.num_channels).astype(np.float64)


def plain(x: Any, dy: Any, gamma: Any, beta: Any, eps: float, statistics: Any) -> tuple[Any, ...]:
    """Rows of y and dx, and dgamma and dbeta; `statistics` are None in training."""
    mean, variance = (x.mean(0), x.var(0)) if statistics is None else statistics
    sigma = np.sqrt(variance + eps)
    normal = (x - mean) / sigma
    dnormal = dy * gamma
    if statistics is None:
        dnormal = dnormal - dnormal.mean(0) - normal * (dnormal * normal).mean(0)
    return gamma * normal + beta, dnormal / sigma, (dy * normal).sum(0), dy.sum(0)


def close(got: Any, expected: Any, dtype: str) -> None:
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(np.asarray(got, np.float64), expected, rtol=0, atol=RELATIVE_ERROR[dtype] * scale)


def check_numbers(adapter: type[Adapter], config: LayerConfig, statistics_dtype: str) -> None:
    """Inference and two training steps, forward and backward, are what plain NumPy gives."""
    convention = adapter.convention
    generator = np.random.default_rng(2)
    gamma, beta = (generator.normal(2.0, 1.0, CHANNELS).astype(config.parameter_dtype) for _ in range(2))
    mean, variance = (np.array(values, statistics_dtype) for values in ([-0.5, 1.0, 3.0], [0.5, 1.25, 2.0]))
    x, dy = draw(config), draw(config, offset=0.0)[::-1]
    layer = adapter().build(config)
    layer.set_parameters(gamma if config.gamma else None, beta if config.beta else None)
    layer.set_running_statistics(mean, variance)
    scale = gamma.astype(np.float64) if config.gamma else np.ones(CHANNELS)
    shift = beta.astype(np.float64) if config.beta else np.zeros(CHANNELS)
    running = [mean.astype(np.float64), variance.astype(np.float64)]
    count = x.size // CHANNELS
    for training in (False, True, True):
        y = layer.forward(x, training)
        gradients = layer.backward(dy)
        if training:
            if convention.statistics_move == "explicit":
                layer.update_statistics()
            x_rows = rows(x, config)
            correction = count / (count - 1) if convention.running_variance == "unbiased" else 1.0
            for index, batch in enumerate((x_rows.mean(0), x_rows.var(0) * correction)):
                running[index] += config.momentum * (batch - running[index])
        statistics = None if training else running
        expected = plain(rows(x, config), rows(dy, config), scale, shift, 2.0**-10, statistics)
        assert (y.dtype, y.shape) == (gradients.dx.dtype, gradients.dx.shape) == (x.dtype, x.shape)
        close(rows(y, config), expected[0], config.dtype)
        close(rows(gradients.dx, config), expected[1], config.dtype)
        for wanted, gradient, value in ((config.gamma, gradients.dgamma, 2), (config.beta, gradients.dbeta, 3)):
            assert (gradient is not None) == wanted
            if gradient is not None:
                assert gradient.dtype == config.parameter_dtype
                close(gradient, expected[value], config.dtype)
        for got, expected_statistic in zip(layer.running_statistics(), running, strict=True):
            assert got.dtype == statistics_dtype
            close(got, expected_statistic, statistics_dtype)


def check_layers_are_separate(adapter: type[Adapter]) -> None:
    config = LayerConfig(num_channels=CHANNELS, channel_axis=3)
    first, second = (adapter().build(config) for _ in range(2))
    x = draw(config)
    first.set_parameters(np.full(CHANNELS, 2.0, np.float32), np.ones(CHANNELS, np.float32))
    first.forward(x, training=True)
    assert list(second.running_statistics().mean) == [0.0] * CHANNELS
    second.load_state(first.state())
    np.testing.assert_array_equal(first.forward(x, training=False), second.forward(x, training=False))


def check_backward_is_of_the_latest_forward(adapter: type[Adapter]) -> None:
    config = LayerConfig(num_channels=CHANNELS, channel_axis=3)
    once, twice = (adapter().build(config) for _ in range(2))
    x, dy = draw(config), draw(config, offset=0.0)[::-1]
    twice.forward(x[:4], training=False)
    for layer in (once, twice):
        layer.forward(x, training=True)
    for _ in range(2):
        np.testing.assert_array_equal(once.backward(dy).dx, twice.backward(dy).dx)


def check_views(adapter: type[Adapter]) -> None:
    config = LayerConfig(num_channels=CHANNELS, channel_axis=3)
    wide = np.random.default_rng(3).normal(size=(8, 2, 2, 2 * CHANNELS)).astype(np.float32)
    repeated = np.broadcast_to(wide[:1, ..., :CHANNELS], (4, 2, 2, CHANNELS))
    for view in (wide[::-2, ..., ::2], wide.transpose(0, 2, 1, 3)[1:, ..., CHANNELS:], repeated):
        copy = view.copy()
        view.flags.writeable = False
        layers = [adapter().build(config) for _ in range(2)]
        np.testing.assert_array_equal(layers[0].forward(view, True), layers[1].forward(copy, True))
        np.testing.assert_array_equal(layers[0].backward(view).dx, layers[1].backward(copy).dx)
        np.testing.assert_array_equal(view, copy)
