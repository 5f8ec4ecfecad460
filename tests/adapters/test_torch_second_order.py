"""PyTorch's second order against differences of its own gradients, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bn_adapters.torch_modules import TorchFunctional, TorchNN, TorchNNChannelsLast
from bn_conformance.adapter import Adapter, Array, LayerConfig

SHAPE, STEP = (4, 2, 3, 2), 1e-6


def drawn(seed: int, shape: tuple[int, ...] = SHAPE) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("adapter", [TorchNN, TorchFunctional, TorchNNChannelsLast])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_it_is_the_difference_quotient_of_the_weighed_gradients(
    adapter: type[Adapter], training: bool, affine: bool
) -> None:
    config = LayerConfig(num_channels=2, dtype="float64", parameter_dtype="float64", gamma=affine, beta=affine)
    layer: Any = adapter().build(config)
    gamma, beta, v_dgamma, v_dbeta = (drawn(seed, (2,)) if affine else None for seed in range(4))
    v_dx = drawn(4)

    def weighed(x: Array, gamma: Array | None, dy: Array) -> float:
        layer.set_parameters(gamma, beta)
        layer.forward(x, training)
        found = zip(layer.backward(dy), (v_dx, v_dgamma, v_dbeta), strict=True)
        return sum(float((part * weight).sum()) for part, weight in found if weight is not None)

    point: dict[str, Any] = {"x": drawn(5), "gamma": gamma, "dy": drawn(6)}
    base = weighed(**point)
    ds_dx, ds_dgamma, ds_ddy = layer.double_backward(point["dy"], v_dx, v_dgamma, v_dbeta)
    assert (ds_dgamma is not None) == affine
    for name, found in (("x", ds_dx), ("gamma", ds_dgamma), ("dy", ds_ddy)):
        if found is None:
            continue
        direction = drawn(7, found.shape)
        moved = weighed(**{**point, name: point[name] + STEP * direction})
        assert (moved - base) / STEP == pytest.approx(float((found * direction).sum()), rel=1e-3, abs=1e-3), name
