"""PyTorch's operators against plain float64 NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.adapter_checks.whole import check_adapter

from bn_adapters.torch_operators import TorchBatchNorm, TorchNativeBatchNorm
from bn_conformance.adapter import Adapter, LayerConfig

pytestmark = pytest.mark.framework


@pytest.mark.parametrize("adapter", [TorchBatchNorm, TorchNativeBatchNorm], ids=lambda adapter: adapter.name)
def test_an_operator(adapter: type[Adapter]) -> None:
    check_adapter(adapter)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_native_operator_shows_its_statistics_and_takes_others(dtype: str) -> None:
    config = LayerConfig(num_channels=3, rank=4, eps=0.25, dtype=dtype, parameter_dtype=dtype)
    layer, random = TorchNativeBatchNorm().build(config), np.random.default_rng(4)
    x, dy = (random.normal(0.5, 2.0, (4, 3, 5, 2)).astype(dtype) for _ in range(2))
    layer.forward(x, True)
    mean, variance = (np.asarray(part, np.float64) for part in (x.mean((0, 2, 3)), x.var((0, 2, 3))))
    saved = layer.saved_statistics()
    np.testing.assert_allclose(saved.mean, mean, rtol=1e-5)
    np.testing.assert_allclose(saved.inverse, 1 / np.sqrt(variance + 0.25), rtol=1e-5)
    assert {saved.mean.dtype.name, saved.inverse.dtype.name} == {dtype}
    own, exact = layer.backward(dy), layer.backward_from(dy, mean, variance)
    np.testing.assert_allclose(exact.dx, own.dx, rtol=1e-3, atol=1e-5)
    other = layer.backward_from(dy, mean, 4 * variance)
    assert np.abs(other.dx - own.dx).max() > 0.01
    np.testing.assert_array_equal(layer.backward(dy).dx, own.dx)
