"""Keras on NumPy, which has no gradients, against plain float64 NumPy."""

from __future__ import annotations

import pytest
from tests.support.adapter_checks.agreement import TOLERANCE, check_agreement, check_defaults, configurations
from tests.support.own_process import process_of

from bn_adapters.keras_layers import KerasNumpy
from bn_conformance.adapter import Adapter


def check_forward(adapter: type[Adapter]) -> None:
    """With the tolerance of float32 in float64: a fault of Keras, for the matrix to report."""
    for config in configurations(adapter.capabilities, thin=True):
        tolerance = TOLERANCE["float32" if config.dtype == "float64" else config.dtype]
        check_agreement(adapter(), config, tolerance)
    check_defaults(adapter())


@pytest.mark.framework
def test_keras_on_numpy() -> None:
    with process_of(KerasNumpy) as call:
        call(check_forward)
