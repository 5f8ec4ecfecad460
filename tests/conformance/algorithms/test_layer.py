"""A right algorithm as a layer gives what the reference layer gives, within rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bn_conformance.adapter import Convention, LayerConfig
from bn_conformance.algorithms.algorithm import ALGORITHMS
from bn_conformance.algorithms.layer import AlgorithmAdapter, AlgorithmLayer
from bn_reference.layer.layer import PlainLayer

CONFIG = LayerConfig(num_channels=3, rank=4, channel_axis=3)
RANDOM = np.random.default_rng(1)
X, DY = (RANDOM.normal(size=(2, 4, 5, 3)).astype(np.float32) for _ in range(2))
GAMMA, BETA = (RANDOM.normal(size=3).astype(np.float32) for _ in range(2))


def results(layer: Any) -> list[Any]:
    """Training with its gradients, then inference with its own."""
    layer.set_parameters(GAMMA, BETA)
    training = [layer.forward(X, True), *layer.backward(DY), *layer.running_statistics()]
    return [*training, layer.forward(X, False), *layer.backward(DY)]


@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_it_gives_what_the_reference_layer_gives(name: str, estimator: Any) -> None:
    convention = Convention(running_variance=estimator)
    pairs = zip(
        results(AlgorithmLayer(ALGORITHMS[name], CONFIG, convention)),
        results(PlainLayer(CONFIG, convention)),
        strict=True,
    )
    for got, expected in pairs:
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_it_refuses_what_a_layer_must_refuse() -> None:
    layer: Any = AlgorithmAdapter(ALGORITHMS["Welford"]).build(CONFIG)
    with pytest.raises(RuntimeError, match="backward before forward"):
        layer.backward(DY)
    with pytest.raises(ValueError, match="x has shape"):
        layer.forward(X[0], True)
    with pytest.raises(ValueError, match="training needs 2 or more"):
        layer.forward(X[:1, :1, :1], True)
    with pytest.raises(TypeError, match="x is of dtype float64"):
        layer.forward(X.astype(np.float64), True)
    layer.forward(X, True)
    with pytest.raises(ValueError, match="dy has shape"):
        layer.backward(DY[:1])


def test_the_arrays_stay_the_callers() -> None:
    layer = AlgorithmLayer(ALGORITHMS["two-pass, pairwise"], CONFIG)
    x = X.copy()
    layer.forward(x, True)
    before = layer.backward(DY).dx
    x[:] = 0
    np.testing.assert_array_equal(layer.backward(DY).dx, before)
