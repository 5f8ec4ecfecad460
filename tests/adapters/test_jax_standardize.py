"""`jax.nn.standardize` and `stax.BatchNorm`, which train alone, against plain float64 NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.adapter_checks.agreement import CHANNELS, assert_close, configurations, plain
from tests.support.adapter_checks.steps import draw
from tests.support.own_process import process_of

from bn_adapters.jax_standardize import JaxStandardize, JaxStandardizeStable, Stax
from bn_conformance.adapter import Adapter, LayerConfig

pytestmark = pytest.mark.framework

TOLERANCE = {"float32": 1e-5, "float64": 1e-13}


def check_training(adapter: type[Adapter]) -> None:
    for config in configurations(adapter.capabilities, thin=True):
        generator, x = np.random.default_rng(7), draw(config)
        dy = generator.normal(size=x.shape).astype(x.dtype)
        gamma, beta = (generator.normal(1.0, 1.0, CHANNELS).astype(config.parameter_dtype) for _ in range(2))
        layer = adapter().build(config)
        layer.set_parameters(gamma if config.gamma else None, beta if config.beta else None)
        gamma64 = gamma.astype(np.float64) if config.gamma else np.ones(CHANNELS)
        beta64 = beta.astype(np.float64) if config.beta else np.zeros(CHANNELS)
        expected = plain(x, dy, gamma64, beta64, config.eps or 0.0, config.channel_axis, None)
        tolerance = TOLERANCE[config.dtype]
        assert_close(layer.forward(x, True), expected.y, config.dtype, tolerance, "y")
        found = layer.backward(dy)
        assert_close(found.dx, expected.dx, config.dtype, tolerance, "dx")
        for name in ("dgamma", "dbeta"):
            if getattr(config, name[1:]):
                wanted = getattr(expected, name)
                assert_close(getattr(found, name), wanted, config.parameter_dtype, tolerance, name)
            else:
                assert getattr(found, name) is None


def check_default_eps(adapter: type[Adapter]) -> None:
    layer = adapter().build(LayerConfig(num_channels=1, rank=2, channel_axis=1, eps=None, momentum=None))
    y = layer.forward(np.array([[-(2.0**-8)], [2.0**-8]], np.float32), True)
    assert 2.0**-16 * (float(np.abs(y).mean()) ** -2 - 1) == pytest.approx(1e-5, rel=1e-3)


@pytest.mark.parametrize("adapter", [JaxStandardize, JaxStandardizeStable, Stax], ids=lambda adapter: adapter.name)
def test_it_standardizes_and_has_the_declared_eps(adapter: type[Adapter]) -> None:
    with process_of(adapter) as call:
        call(check_training)
        call(check_default_eps)
