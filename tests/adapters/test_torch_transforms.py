"""PyTorch's modules under autocast, `torch.func`, `torch.export` and fusion, against plain float64 NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.adapter_checks.whole import check_adapter

from bn_adapters.torch_modules import TorchNN
from bn_adapters.torch_transforms import TorchAutocast, TorchExport, TorchFunc, TorchFusion
from bn_conformance.adapter import Adapter, LayerConfig

pytestmark = pytest.mark.framework


@pytest.mark.parametrize("adapter", [TorchAutocast, TorchFunc, TorchExport], ids=lambda adapter: adapter.name)
def test_a_module_under_a_transformation(adapter: type[Adapter]) -> None:
    check_adapter(adapter)


@pytest.mark.parametrize("rank", [3, 4, 5])
def test_a_fused_layer_infers_as_the_module_does(rank: int) -> None:
    config = LayerConfig(num_channels=3, rank=rank)
    fused, module = TorchFusion().build(config), TorchNN().build(config)
    generator = np.random.default_rng(7)
    for layer in (fused, module):
        layer.set_parameters(np.array([2, -1, 0.5], np.float32), np.array([1, 0, -2], np.float32))
        layer.set_running_statistics(np.array([0.5, -1, 3], np.float32), np.array([4, 0.25, 1], np.float32))
    x = generator.normal(size=(4, 3, *[2] * (rank - 2))).astype(np.float32)
    assert fused.forward(x, False) == pytest.approx(module.forward(x, False), abs=1e-6)


def test_what_vmap_runs_beside_a_model_does_not_reach_it() -> None:
    config = LayerConfig(num_channels=3)
    together, alone = TorchFunc().build(config), TorchNN().build(config)
    x = np.random.default_rng(7).normal(size=(4, 3, 2, 2)).astype(np.float32)
    x[:, 2] *= 100
    assert together.forward(x, True) == pytest.approx(alone.forward(x, True), abs=1e-5)
    assert together.running_statistics().variance == pytest.approx(alone.running_statistics().variance, rel=1e-6)
