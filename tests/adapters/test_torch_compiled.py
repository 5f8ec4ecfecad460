"""`torch.compile` of PyTorch's modules against plain float64 NumPy."""

from __future__ import annotations

import pytest
from tests.support.adapter_checks.agreement import check_agreement
from tests.support.own_process import process_of

from bn_adapters.torch_compiled import TorchCompile, TorchCompileDynamic
from bn_conformance.adapter import Adapter, LayerConfig

pytestmark = [pytest.mark.framework, pytest.mark.slow]  # a kernel costs seconds of the C++ compiler


def check_one(adapter: type[Adapter]) -> None:
    """Training, inference and their gradients of one configuration: half a dozen kernels."""
    check_agreement(adapter(), LayerConfig(num_channels=3))


@pytest.mark.parametrize("adapter", [TorchCompile, TorchCompileDynamic], ids=lambda adapter: adapter.name)
def test_a_compiled_module(adapter: type[Adapter]) -> None:
    with process_of(adapter) as call:
        call(check_one)
