"""Flax's modules against plain float64 NumPy, in a process of their own."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

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

from bn_adapters.flax_linen import LinenLayer
from bn_adapters.flax_modules import FlaxLinen, FlaxLinenJit, FlaxNnx, FlaxNnxJit, FlaxSlowVariance
from bn_adapters.jax_functions import JAX_ENVIRONMENT
from bn_conformance.adapter import Adapter, Array, LayerConfig

ADAPTERS: dict[str, type[Adapter]] = {
    adapter.name: adapter for adapter in (FlaxLinen, FlaxLinenJit, FlaxNnx, FlaxNnxJit)
}


@pytest.fixture(scope="module")
def run() -> Iterator[Call]:
    """Call a function where JAX starts with the adapters' environment."""
    with process_with(JAX_ENVIRONMENT) as call:
        yield call


def is_worth_a_compilation(config: LayerConfig) -> bool:
    """A selection of the declared: every dtype, every layout, and every choice of gamma and beta, but not crossed."""
    both, first = config.gamma and config.beta, config.rank == 2
    return (first and both) or (config.dtype == "float32" and (first or both))


def statistics_dtype(adapter: type[Adapter], config: LayerConfig) -> str:
    """Float32, and float64 for float64 in linen: nnx keeps float32 for float64 too (a fault, see below)."""
    return "float64" if config.dtype == "float64" and issubclass(adapter, FlaxLinen) else "float32"


@pytest.mark.parametrize("name", ADAPTERS)
def test_declared_combinations(run: Call, name: str) -> None:
    configs = list(filter(is_worth_a_compilation, configurations(ADAPTERS[name].capabilities)))
    assert len(configs) == 18
    for config in configs:
        run(check_numbers, ADAPTERS[name], config, statistics_dtype(ADAPTERS[name], config))


def check_defaults(adapter: type[Adapter]) -> None:
    config = LayerConfig(num_channels=CHANNELS, rank=2, eps=None, momentum=None)
    layer, x = adapter().build(config), draw(config)
    np.testing.assert_array_equal(layer.running_statistics(), [[0.0] * CHANNELS, [1.0] * CHANNELS])
    y, x_rows = layer.forward(x, training=True), rows(x, config)
    np.testing.assert_allclose(layer.running_statistics().mean, x_rows.mean(0) * 0.01, rtol=1e-5)
    np.testing.assert_allclose(layer.running_statistics().variance, 0.99 + x_rows.var(0) * 0.01, rtol=1e-5)
    narrow = draw(config) * np.float32(1e-3)
    narrow_rows = rows(narrow, config)
    y = layer.forward(narrow, training=True)
    normal = (narrow_rows - narrow_rows.mean(0)) / np.sqrt(narrow_rows.var(0) + 1e-5)
    np.testing.assert_allclose(rows(y, config), normal, rtol=0, atol=2e-6)


def check_freeze(adapter: type[Adapter]) -> None:
    config = LayerConfig(num_channels=CHANNELS, rank=2)
    layer, x = adapter().build(config), draw(config)
    layer.forward(x, training=True)
    before, y = layer.running_statistics(), layer.forward(x, training=False)
    dx = layer.backward(x).dx
    layer.freeze()
    np.testing.assert_array_equal(layer.forward(x, training=True), y)
    np.testing.assert_array_equal(layer.backward(x).dx, dx)
    np.testing.assert_array_equal(layer.running_statistics(), before)


def check_backward_keeps_the_statistics_of_its_forward(adapter: type[Adapter]) -> None:
    config = LayerConfig(num_channels=CHANNELS, rank=2)
    layer, x = adapter().build(config), draw(config)
    layer.forward(x, training=False)
    before = layer.backward(x)
    layer.set_running_statistics(np.full(CHANNELS, 9.0, np.float32), np.full(CHANNELS, 9.0, np.float32))
    for again, expected in zip(layer.backward(x), before, strict=True):
        np.testing.assert_array_equal(again, expected)


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize(
    "check",
    [
        check_defaults,
        check_freeze,
        check_backward_keeps_the_statistics_of_its_forward,
        check_layers_are_separate,
        check_backward_is_of_the_latest_forward,
    ],
)
def test_layers(run: Call, name: str, check: Callable[[type[Adapter]], None]) -> None:
    run(check, ADAPTERS[name])


class OvertakenLayer(LinenLayer):
    """A layer of which another thread infers as soon as a forward has noted its inputs."""

    others: tuple[Array, ...] = ()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "latest" and self.others:
            other, self.others = self.others[0], ()
            self.forward(other, training=False)


def check_a_forward_computes_with_its_own_inputs() -> None:
    layer = OvertakenLayer(LayerConfig(num_channels=CHANNELS, rank=2), True)
    x = draw(layer.config)
    alone = layer.forward(x, training=False)
    layer.others = (x + 3.0,)
    np.testing.assert_array_equal(layer.forward(x, training=False), alone)


def test_a_forward_that_another_thread_overtakes_computes_with_its_own_inputs(run: Call) -> None:
    run(check_a_forward_computes_with_its_own_inputs)


@pytest.mark.parametrize("name", ["flax.linen[jit]", "flax.nnx[jit]"])
def test_views(run: Call, name: str) -> None:
    run(check_views, ADAPTERS[name])


def count_compilations(adapter: type[Adapter]) -> int:
    """Compilations of a second layer of the configuration, after one has run."""
    import jax

    compilations: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, duration, **_: compilations.append(event) if event.endswith("backend_compile_duration") else None
    )
    config = LayerConfig(num_channels=2, rank=2, eps=2.0**-9)
    counts = []
    for _ in range(2):
        layer, x = adapter().build(config), np.array([[1.0, 2.0], [3.0, 5.0]], np.float32)
        layer.forward(x, training=True)
        layer.backward(x)
        layer.double_backward(x, x, x[0], x[0])
        counts.append(len(compilations))
    assert counts[0] > 0
    return counts[1] - counts[0]


@pytest.mark.parametrize("name", ADAPTERS)
def test_a_second_layer_compiles_nothing(run: Call, name: str) -> None:
    assert run(count_compilations, ADAPTERS[name]) == 0


def check_nnx_float64_statistics() -> None:
    config = LayerConfig(num_channels=1, rank=2, dtype="float64", parameter_dtype="float64", momentum=0.1)
    layer = FlaxNnx().build(config)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        layer.forward(np.array([[0.0], [2.0]]), training=True)
    assert layer.running_statistics().mean.dtype == np.float32
    assert any("cannot safely cast value from dtype=float64 to dtype=float32" in str(one.message) for one in caught)


def check_nnx_half_precision_inference() -> None:
    config = LayerConfig(num_channels=1, rank=2, dtype="float16", gamma=False, beta=False)
    x = np.array([[100.0], [200.0]], np.float16)
    results = []
    for adapter in (FlaxLinen, FlaxNnx):
        layer = adapter().build(config)
        layer.set_running_statistics(np.zeros(1, np.float32), np.full(1, 90_000.0, np.float32))
        results.append(layer.forward(x, training=False).astype(np.float64).ravel())
    np.testing.assert_allclose(results[0], [1 / 3, 2 / 3], rtol=1e-3)
    np.testing.assert_array_equal(results[1], [0.0, 0.0])


@pytest.mark.parametrize("check", [check_nnx_float64_statistics, check_nnx_half_precision_inference])
def test_faults_of_nnx_that_the_matrix_is_to_find(run: Call, check: Callable[[], None]) -> None:
    run(check)


def check_variance_beside_a_large_mean(adapter: type[Adapter]) -> None:
    config = LayerConfig(num_channels=CHANNELS, rank=2, momentum=1.0)
    layer, x = adapter().build(config), draw(config) + np.float32(1000)
    layer.forward(x, training=True)
    expected = rows(x.astype(np.float64), config).var(0)
    np.testing.assert_allclose(layer.running_statistics().variance, expected, rtol=1e-3)


def test_the_slow_variance_keeps_its_digits_beside_a_large_mean(run: Call) -> None:
    run(check_numbers, FlaxSlowVariance, LayerConfig(num_channels=CHANNELS, rank=2), "float32")
    run(check_variance_beside_a_large_mean, FlaxSlowVariance)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        run(check_variance_beside_a_large_mean, FlaxLinenJit)
