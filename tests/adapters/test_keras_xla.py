"""Keras on TensorFlow compiled by XLA, against plain float64 NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.adapter_checks.agreement import check_agreement
from tests.support.own_process import process_of

from bn_adapters.keras_xla import KerasTensorflowXla
from bn_conformance.adapter import Adapter, LayerConfig

pytestmark = pytest.mark.framework


def check_few(adapter: type[Adapter]) -> None:
    """Each costs a compilation, of the gradients too."""
    for axis in (1, 3):
        check_agreement(adapter(), LayerConfig(num_channels=3, channel_axis=axis))


def check_that_layers_share_no_state(adapter: type[Adapter]) -> None:
    one, other = (adapter().build(LayerConfig(num_channels=3, channel_axis=3)) for _ in range(2))
    x = np.random.default_rng(7).normal(size=(4, 2, 2, 3)).astype(np.float32)
    y = one.forward(x, True)
    assert other.running_statistics().mean == pytest.approx(0)
    other.set_parameters(np.full(3, 2, np.float32), None)
    assert other.forward(x, True) == pytest.approx(2 * y, abs=1e-5)
    assert other.running_statistics().mean == pytest.approx(one.running_statistics().mean)


@pytest.mark.parametrize("check", [check_few, check_that_layers_share_no_state], ids=lambda check: check.__name__)
def test_a_compiled_layer(check: object) -> None:
    with process_of(KerasTensorflowXla) as call:
        call(check)
