"""`tf.layers.batch_normalization` in a graph against plain float64 NumPy, in a process of its own."""

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
    draw,
    rows,
)
from tests.support.own_process import Call, process_with

from bn_adapters.tensorflow_layers_v1 import (
    LAYERS_V1_ENVIRONMENT,
    TensorflowLayersV1,
    TensorflowLayersV1Forgotten,
    TensorflowLayersV1Fused,
)
from bn_conformance.adapter import Adapter, LayerConfig

ADAPTERS: dict[str, type[Adapter]] = {
    adapter.name: adapter for adapter in (TensorflowLayersV1, TensorflowLayersV1Fused)
}


@pytest.fixture(scope="module")
def run() -> Iterator[Call]:
    """Call a function where TensorFlow starts with the adapters' environment."""
    with process_with(LAYERS_V1_ENVIRONMENT) as call:
        yield call


def affine_is_both_or_rank_is_2(config: LayerConfig) -> bool:
    """A selection: each configuration is a graph of its own, and gamma and beta do not meet the layout."""
    return (config.gamma and config.beta) or config.rank == 2


@pytest.mark.parametrize(("name", "count"), [("tf.layers-v1", 52), ("tf.layers-v1[fused]", 12)])
def test_declared_combinations(run: Call, name: str, count: int) -> None:
    configs = list(filter(affine_is_both_or_rank_is_2, configurations(ADAPTERS[name].capabilities)))
    assert len(configs) == count
    for config in configs:
        run(check_numbers, ADAPTERS[name], config, config.parameter_dtype)


def check_unfused_is_the_default_at_rank_2() -> None:
    """The seed's own call passes no `fused`: without the fused kernel the results are the same, bit for bit."""
    config = LayerConfig(num_channels=CHANNELS, rank=2)
    layers = [adapter().build(config) for adapter in (TensorflowLayersV1, TensorflowLayersV1Fused)]
    for layer in layers:
        layer.forward(draw(config), training=True)
        layer.update_statistics()
    np.testing.assert_array_equal(layers[0].running_statistics(), layers[1].running_statistics())


def check_updates_are_explicit() -> None:
    config = LayerConfig(num_channels=CHANNELS, rank=2)
    layer, x = TensorflowLayersV1().build(config), draw(config)
    layer.forward(x, training=True)
    np.testing.assert_array_equal(layer.running_statistics(), [[0.0] * CHANNELS, [1.0] * CHANNELS])
    layer.update_statistics()
    np.testing.assert_allclose(layer.running_statistics().mean, x.mean(0) / 4, rtol=1e-5)
    layer.update_statistics()
    np.testing.assert_allclose(layer.running_statistics().mean, x.mean(0) * 7 / 16, rtol=1e-5)


def check_forgotten_updates_never_move() -> None:
    config = LayerConfig(num_channels=CHANNELS, rank=2)
    layer = TensorflowLayersV1Forgotten().build(config)
    for _ in range(3):
        layer.forward(draw(config), training=True)
        layer.update_statistics()
    np.testing.assert_array_equal(layer.running_statistics(), [[0.0] * CHANNELS, [1.0] * CHANNELS])


def check_defaults() -> None:
    for adapter in ADAPTERS.values():
        config = LayerConfig(num_channels=CHANNELS, channel_axis=3, eps=None, momentum=None)
        layer, x = adapter().build(config), draw(config)
        y, x_rows = layer.forward(x, training=True), rows(x, config)
        layer.update_statistics()
        np.testing.assert_allclose(layer.running_statistics().mean, x_rows.mean(0) * 0.01, rtol=1e-5)
        normal = (x_rows - x_rows.mean(0)) / np.sqrt(x_rows.var(0) + 1e-3)
        np.testing.assert_allclose(rows(y, config), normal, rtol=0, atol=2e-6)


def check_momentum_is_float32_and_eps_is_not() -> None:
    config = LayerConfig(
        num_channels=1, rank=2, dtype="float64", parameter_dtype="float64", momentum=0.1, eps=1e-3, gamma=False
    )
    layer = TensorflowLayersV1().build(config)
    y = layer.forward(np.array([[0.0], [2.0]]), training=True)
    layer.update_statistics()
    assert layer.running_statistics().mean == np.float64(np.float32(0.1))
    np.testing.assert_allclose(y[1], 1 / np.sqrt(1 + 1e-3), rtol=1e-15)


def check_many_layers_share_a_session() -> None:
    config = LayerConfig(num_channels=CHANNELS, rank=2)
    layers = [TensorflowLayersV1().build(config) for _ in range(3)]
    x = draw(config)
    for step in range(3):
        for index, layer in enumerate(layers):
            layer.forward(x * np.float32(index), training=True)
            layer.update_statistics()
            kept = 1 - 0.75 ** (step + 1)
            np.testing.assert_allclose(layer.running_statistics().mean, x.mean(0) * index * kept, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "check",
    [
        check_unfused_is_the_default_at_rank_2,
        check_updates_are_explicit,
        check_forgotten_updates_never_move,
        check_defaults,
        check_momentum_is_float32_and_eps_is_not,
        check_many_layers_share_a_session,
    ],
)
def test_behaviour(run: Call, check: Callable[[], None]) -> None:
    run(check)


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize("check", [check_layers_are_separate, check_backward_is_of_the_latest_forward, check_views])
def test_layers(run: Call, name: str, check: Callable[[type[Adapter]], None]) -> None:
    run(check, ADAPTERS[name])


def test_only_the_forgotten_one_is_an_example() -> None:
    assert TensorflowLayersV1.group == TensorflowLayersV1Fused.group == "default"
    assert TensorflowLayersV1Forgotten.group == "examples"
    assert TensorflowLayersV1Forgotten.convention == TensorflowLayersV1.convention
