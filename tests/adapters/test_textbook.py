"""The textbook adapter: agreement with plain float64 NumPy, and what only a textbook does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.support.adapter_checks.agreement import (
    CHANNELS,
    check_agreement,
    check_defaults,
    check_hyperparameters_in_float64,
    configurations,
    name_of,
)

from bn_adapters.textbook import TextbookNumpy
from bn_conformance.adapter import Array, LayerConfig


@pytest.mark.parametrize("config", configurations(TextbookNumpy.capabilities), ids=name_of)
def test_agrees_with_plain_numpy(config: LayerConfig) -> None:
    check_agreement(TextbookNumpy(), config)


def test_declared_defaults_are_measured() -> None:
    check_defaults(TextbookNumpy())
    check_hyperparameters_in_float64(TextbookNumpy())


@pytest.mark.parametrize(("rank", "axis"), [(3, 2), (4, 1), (4, 2), (5, 3)])
def test_other_ranks_give_the_numbers_of_the_folded_rank_2_problem(rank: int, axis: int) -> None:
    generator = np.random.default_rng(1)
    rows, dy_rows = generator.normal(size=(24, CHANNELS)), generator.normal(size=(24, CHANNELS))
    folded = {2: (24,), 3: (6, 4), 4: (3, 4, 2), 5: (3, 2, 2, 2)}[rank]

    def unfold(values: Array) -> Array:
        return np.moveaxis(values.reshape((*folded, CHANNELS)), -1, axis)

    options: dict[str, Any] = {"num_channels": CHANNELS, "dtype": "float64", "parameter_dtype": "float64"}
    flat = TextbookNumpy().build(LayerConfig(rank=2, **options))
    layer = TextbookNumpy().build(LayerConfig(rank=rank, channel_axis=axis, **options))
    assert np.array_equal(layer.forward(unfold(rows), True), unfold(flat.forward(rows, True)))
    assert np.array_equal(layer.backward(unfold(dy_rows)).dx, unfold(flat.backward(dy_rows).dx))
    assert np.array_equal(layer.running_statistics().variance, flat.running_statistics().variance)


def test_inference_right_after_building_divides_by_zero_as_the_textbook_does() -> None:
    layer = TextbookNumpy().build(LayerConfig(num_channels=1, rank=2))
    with np.errstate(divide="ignore"):
        assert np.isinf(layer.forward(np.ones((2, 1), np.float32), False)).all()


def test_there_is_no_gradient_of_inference() -> None:
    layer = TextbookNumpy().build(LayerConfig(num_channels=1, rank=2))
    x = np.array([[1.0], [2.0]], np.float32)
    layer.forward(x, True)
    layer.forward(x, False)
    with pytest.raises(RuntimeError, match="training forward only"):
        layer.backward(x)


def test_arrays_handed_over_are_copied_where_they_are_kept() -> None:
    layer = TextbookNumpy().build(LayerConfig(num_channels=1, rank=2))
    mean, variance = np.ones(1, np.float32), np.ones(1, np.float32)
    layer.set_running_statistics(mean, variance)
    mean[0] = 9
    layer.running_statistics().variance[0] = 9
    assert layer.running_statistics().mean == layer.running_statistics().variance == 1
