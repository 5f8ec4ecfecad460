"""PyTorch's operators against plain float64 NumPy."""

from __future__ import annotations

import pytest
from tests.support.adapter_checks.whole import check_adapter

from bn_adapters.torch_operators import TorchBatchNorm, TorchNativeBatchNorm
from bn_conformance.adapter import Adapter

pytestmark = pytest.mark.framework


@pytest.mark.parametrize("adapter", [TorchBatchNorm, TorchNativeBatchNorm], ids=lambda adapter: adapter.name)
def test_an_operator(adapter: type[Adapter]) -> None:
    check_adapter(adapter)
