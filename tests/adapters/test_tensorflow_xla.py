"""TensorFlow's batch normalisations compiled by XLA, against plain float64 NumPy."""

from __future__ import annotations

import pytest
from tests.support.adapter_checks.agreement import check_agreement
from tests.support.own_process import process_of

from bn_adapters.tensorflow_xla import TensorflowFusedXla, TensorflowMomentsXla
from bn_conformance.adapter import Adapter, LayerConfig

pytestmark = pytest.mark.framework

ADAPTERS = [TensorflowFusedXla, TensorflowMomentsXla]


def check_few(adapter: type[Adapter]) -> None:
    """Each costs a compilation, of the gradients too."""
    for axis in (1, 3):
        check_agreement(adapter(), LayerConfig(num_channels=3, channel_axis=axis))


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_a_compiled_layer(adapter: type[Adapter]) -> None:
    with process_of(adapter) as call:
        call(check_few)
