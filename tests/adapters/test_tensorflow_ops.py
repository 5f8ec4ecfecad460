"""The TensorFlow operations against plain float64 NumPy, in a process of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from tests.support.adapter_checks.agreement import CHANNELS, configurations
from tests.support.adapter_checks.steps import (
    check_backward_is_of_the_latest_forward,
    check_layers_are_separate,
    check_numbers,
    check_views,
    close,
    draw,
    rows,
)
from tests.support.own_process import Call, process_with

from bn_adapters.tensorflow_ops import TensorflowFused, TensorflowMoments
from bn_conformance.adapter import Adapter, LayerConfig

ADAPTERS: dict[str, type[Adapter]] = {adapter.name: adapter for adapter in (TensorflowFused, TensorflowMoments)}


@pytest.fixture(scope="module")
def run() -> Iterator[Call]:
    """Call a function of this module where TensorFlow starts with the adapters' environment."""
    with process_with(TensorflowFused.environment) as call:
        yield call


@pytest.mark.parametrize("name", ADAPTERS)
def test_every_declared_combination(run: Call, name: str) -> None:
    configs = configurations(ADAPTERS[name].capabilities)
    assert len(configs) == {"tf.nn.fused": 12, "tf.nn.moments": 160}[name]
    for config in configs:
        run(check_numbers, ADAPTERS[name], config, config.parameter_dtype)


def check_fused_defaults() -> None:
    config = LayerConfig(num_channels=CHANNELS, channel_axis=3, eps=None, momentum=None)
    layer, x = TensorflowFused().build(config), draw(config)
    assert [list(values) for values in layer.running_statistics()] == [[0.0] * CHANNELS, [1.0] * CHANNELS]
    y = layer.forward(x, training=True)
    x_rows = rows(x, config)
    close(layer.running_statistics().mean, x_rows.mean(0), "float32")
    close(layer.running_statistics().variance, x_rows.var(0, ddof=1), "float32")
    close(rows(y, config), (x_rows - x_rows.mean(0)) / np.sqrt(x_rows.var(0) + 1e-3), "float32")


def test_fused_defaults_are_as_declared(run: Call) -> None:
    run(check_fused_defaults)
    assert (TensorflowFused.convention.default_momentum, TensorflowFused.convention.default_eps) == (1.0, 1e-3)


def test_moments_has_no_defaults() -> None:
    adapter = TensorflowMoments()
    assert adapter.supports(LayerConfig(num_channels=1)) is None
    assert "variance_epsilon" in str(adapter.supports(LayerConfig(num_channels=1, eps=None)))
    assert "momentum" in str(adapter.supports(LayerConfig(num_channels=1, momentum=None)))


def check_refused(adapter: type[Adapter], config: LayerConfig) -> str:
    layer = adapter().build(config)
    try:
        layer.forward(draw(config), training=True)
    except Exception as error:
        return type(error).__name__
    return "nothing raised"


@pytest.mark.parametrize(
    ("name", "dtype", "parameter_dtype"),
    [
        ("tf.nn.fused", "float64", "float64"),
        ("tf.nn.fused", "float16", "float16"),
        ("tf.nn.fused", "float32", "float64"),
        ("tf.nn.moments", "float16", "float32"),
        ("tf.nn.moments", "bfloat16", "float32"),
        ("tf.nn.moments", "float32", "float64"),
    ],
)
def test_what_is_not_declared_raises(run: Call, name: str, dtype: str, parameter_dtype: str) -> None:
    config = LayerConfig(num_channels=CHANNELS, channel_axis=3, dtype=dtype, parameter_dtype=parameter_dtype)
    assert run(check_refused, ADAPTERS[name], config) == "InvalidArgumentError"


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("check", [check_layers_are_separate, check_backward_is_of_the_latest_forward, check_views])
def test_layers(run: Call, name: str, check: Callable[[type[Adapter]], None]) -> None:
    run(check, ADAPTERS[name])


def test_versions_name_the_distribution() -> None:
    versions = TensorflowFused().versions()
    assert set(versions) & {"tensorflow", "tensorflow-cpu"}
