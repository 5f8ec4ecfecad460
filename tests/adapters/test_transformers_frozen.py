"""Transformers' frozen batch normalisation against plain float64 NumPy: inference and dx, in either mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.support.adapter_checks.agreement import CHANNELS, TOLERANCE, assert_close, assert_same, numpy_dtype, plain
from tests.support.own_process import process_of

from bn_adapters.transformers_frozen import TransformersFrozen
from bn_conformance.adapter import Adapter, LayerConfig

pytestmark = pytest.mark.framework


def check_inference(adapter: type[Adapter]) -> None:
    for dtype in adapter.capabilities.dtypes:
        check_format(adapter(), dtype)


def check_format(adapter: Adapter, dtype: str) -> None:
    generator = np.random.default_rng(7)

    def draw(*shape: int) -> np.ndarray[Any, Any]:
        return generator.normal(1.0, 1.0, shape).astype(numpy_dtype(dtype))

    config = LayerConfig(num_channels=CHANNELS, dtype=dtype, parameter_dtype=dtype)
    layer = adapter.build(config)
    gamma, beta, mean, variance = draw(CHANNELS), draw(CHANNELS), draw(CHANNELS), np.abs(draw(CHANNELS))
    layer.set_parameters(gamma, beta)
    layer.set_running_statistics(mean, variance)
    x, dy = draw(4, CHANNELS, 2, 2), draw(4, CHANNELS, 2, 2)
    wide = [vector.astype(np.float64) for vector in (gamma, beta, mean, variance)]
    expected = plain(x, dy, wide[0], wide[1], 1e-5, 1, (wide[2], wide[3]))
    for training in (False, True):
        assert_close(layer.forward(x, training), expected.y, dtype, TOLERANCE[dtype], "y")
        dx, dgamma, dbeta = layer.backward(dy)
        assert_close(dx, expected.dx, dtype, TOLERANCE[dtype], "dx")
        assert (dgamma, dbeta) == (None, None)
    assert_same(layer.running_statistics().mean, mean, "running mean after a forward in training")
    loaded = adapter.build(config)
    loaded.load_state(layer.state())
    assert_same(loaded.forward(x, False), layer.forward(x, False), "y of a layer that loaded the state")


def check_promotion(adapter: type[Adapter]) -> None:
    """What the adapter says of wider buffers, for which `mixed` is not declared."""
    layer = adapter().build(LayerConfig(num_channels=CHANNELS, dtype="float16", parameter_dtype="float32"))
    assert layer.forward(np.ones((2, CHANNELS, 2, 2), np.float16), False).dtype == np.float32


@pytest.mark.parametrize("check", [check_inference, check_promotion])
def test_transformers_frozen(check: Callable[[type[Adapter]], None]) -> None:
    with process_of(TransformersFrozen) as call:
        call(check)
