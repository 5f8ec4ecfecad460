"""Sonnet's batch normalisation, with the fused kernel and without, against plain float64 NumPy."""

from __future__ import annotations

import pytest
from tests.support.adapter_checks.whole import check_adapter

from bn_adapters.sonnet_modules import Sonnet, SonnetFused
from bn_conformance.adapter import Adapter

pytestmark = pytest.mark.framework


@pytest.mark.parametrize("adapter", [Sonnet, SonnetFused], ids=lambda adapter: adapter.name)
def test_sonnet(adapter: type[Adapter]) -> None:
    check_adapter(adapter)
