"""TensorFlow's fused operator called by hand, and Keras 2, against plain float64 NumPy."""

from __future__ import annotations

import pytest
from tests.support.adapter_checks.whole import check_adapter

from bn_adapters.tensorflow_raw import TensorflowRawFused, TensorflowRawFusedChannelsFirst
from bn_adapters.tf_keras_layers import TfKerasLegacy, TfKerasLegacyFused
from bn_conformance.adapter import Adapter

pytestmark = pytest.mark.framework


@pytest.mark.parametrize(
    "adapter",
    [TensorflowRawFused, TensorflowRawFusedChannelsFirst, TfKerasLegacy, TfKerasLegacyFused],
    ids=lambda adapter: adapter.name,
)
def test_an_implementation_on_tensorflow(adapter: type[Adapter]) -> None:
    check_adapter(adapter)
