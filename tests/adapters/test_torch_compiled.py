"""`torch.compile` of PyTorch's modules against plain float64 NumPy."""

from __future__ import annotations

import pytest
from tests.support.adapter_checks.whole import check_adapter

from bn_adapters.torch_compiled import TorchCompile, TorchCompileDynamic
from bn_conformance.adapter import Adapter

pytestmark = [pytest.mark.framework, pytest.mark.slow]  # a kernel costs seconds of the C++ compiler


@pytest.mark.parametrize("adapter", [TorchCompile, TorchCompileDynamic], ids=lambda adapter: adapter.name)
def test_a_compiled_module(adapter: type[Adapter]) -> None:
    check_adapter(adapter)
