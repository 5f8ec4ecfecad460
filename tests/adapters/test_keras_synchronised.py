"""Keras with synchronised statistics on logical CPU devices, against plain float64 NumPy on the whole batch."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.adapter_checks.shards import LAST, check_shards, close
from tests.support.adapter_checks.steps import draw, rows
from tests.support.own_process import process_of
from tests.support.repros import shown

from bn_adapters.keras_synchronised import KerasSynchronised
from bn_conformance.adapter import Adapter

pytestmark = pytest.mark.framework


def check_all(adapter: type[Adapter]) -> None:
    for first in (None, 1, 0):
        check_shards(adapter, first)


def check_that_a_backward_leaves_the_layer(adapter: type[Adapter]) -> None:
    layer, x = adapter().build(LAST), draw(LAST)
    layer.forward_shards([x[:1], x[1:]], True)
    before = layer.running_statistics()
    for _ in range(2):
        layer.backward_shards([x[:1], x[1:]])
    np.testing.assert_array_equal(layer.running_statistics(), before)


def check_masks(adapter: type[Adapter]) -> None:
    """Once the two shards agree, the known fault of masked shards and its line in docs/findings.md are to go."""
    layer, x = adapter().build(LAST), draw(LAST)
    masks = [np.ones((1, x.shape[1], 1), np.bool_), np.ones((len(x) - 1, x.shape[1], 1), np.bool_)]
    ys = layer.forward_shards([x[:1], x[1:]], True, masks)
    for shard, y in zip((x[:1], x[1:]), ys, strict=True):
        own = rows(shard, LAST)
        close(rows(y, LAST), (own - own.mean(0)) / np.sqrt(own.var(0) + 2.0**-10))


@pytest.mark.parametrize("check", [check_all, check_that_a_backward_leaves_the_layer, check_masks])
def test_a_synchronised_layer(check: object) -> None:
    with process_of(KerasSynchronised) as call:
        call(check)


def check_scripts(adapter: type[Adapter]) -> None:
    for variant in ("masked-unequal", "offset-1000"):
        said = shown(f"{adapter.name}::sync/nc/float32/{variant}")
        assert not said, said


@pytest.mark.slow
def test_scripts_show_the_faults() -> None:
    with process_of(KerasSynchronised) as call:
        call(check_scripts)
