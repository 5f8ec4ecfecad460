"""Flax and Haiku on shards of a named axis, against plain float64 NumPy on the whole batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.support.adapter_checks.agreement import CHANNELS
from tests.support.adapter_checks.shards import LAST, check_shards, close
from tests.support.adapter_checks.steps import draw
from tests.support.own_process import process_of, process_with
from tests.support.repros import outcome_of, script_of, shown

from bn_adapters.flax_modules import FlaxOnDevices, FlaxSynchronised
from bn_adapters.haiku_modules import HaikuOnDevices, HaikuSynchronised
from bn_conformance.adapter import Adapter

ADAPTERS = [FlaxSynchronised, FlaxOnDevices, HaikuSynchronised, HaikuOnDevices]


@pytest.mark.framework
@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_shards_are_one_batch(adapter: type[Adapter]) -> None:
    with process_of(adapter) as call:
        call(check_shards)


def codes_of(item: str) -> tuple[object, object]:
    """The exit codes of the script of an item, and of that which asks Flax for a variance in two passes."""
    text, named = script_of(item), "axis_name='shards')"
    assert named in text
    return outcome_of(text)[0], outcome_of(text.replace(named, f"use_fast_variance=False, {named}", 1))[0]


def devices_of(adapter: type[Adapter]) -> list[int]:
    """On how many devices the replicas of two shards lie, and those of one shard afterwards."""
    layer, x = adapter().build(LAST), draw(LAST)
    found = []
    for parts in ([x[:1], x[1:2]], [x]):
        layer.forward_shards(parts, True)
        found.append(len(jax_leaf(layer).sharding.device_set))
    return found


def jax_leaf(layer: Any) -> Any:
    import jax

    return jax.tree.leaves(layer.replicas)[0]


@pytest.mark.framework
@pytest.mark.parametrize(("adapter", "devices"), [(FlaxOnDevices, [2, 1]), (FlaxSynchronised, [1, 1])])
def test_shards_lie_on_devices_of_their_own(adapter: type[Adapter], devices: list[int]) -> None:
    with process_of(adapter) as call:
        assert call(devices_of) == devices


@pytest.mark.framework
@pytest.mark.slow
@pytest.mark.parametrize(
    "item",
    ["flax.linen[sync,devices]::sync/nc/float32/masked-sequence", "haiku[sync,devices]::sync/nc/float32/offset-1000"],
)
def test_a_script_on_devices_shows_the_fault(item: str) -> None:
    with process_with(FlaxOnDevices.environment) as call:
        assert call(shown, item) == ""


@pytest.mark.framework
@pytest.mark.slow
def test_a_script_in_shards_shows_the_fault_and_says_where_it_is_mended() -> None:
    with process_with(FlaxSynchronised.environment) as call:
        assert call(codes_of, "flax.linen[sync]::sync/nc/float32/offset-1000") == (1, 0)
        assert call(codes_of, "flax.linen[sync]::sync/nc/float32/masked") == (1, 1)


def masked_in_shards(counts: tuple[int, int]) -> tuple[Any, Any, Any]:
    """Moments that Flax takes of two shards of four rows, of which the first so many count; x, and what counts."""
    import jax
    import jax.numpy as jnp
    from flax import linen

    x = np.random.default_rng(5).normal(size=(2, 4, CHANNELS)).astype(np.float32)
    mask = np.arange(4)[None, :, None] < np.array(counts)[:, None, None]
    layer = linen.BatchNorm(momentum=0.0, axis_name="shards")
    variables = layer.init(jax.random.key(0), jnp.asarray(x[0]), use_running_average=False)

    def of_one(shard: Any, counted: Any) -> Any:
        held = layer.apply(variables, shard, use_running_average=False, mask=counted, mutable=["batch_stats"])[1]
        return held["batch_stats"]

    held = jax.vmap(of_one, axis_name="shards")(x, mask)
    return [np.asarray(held[name][0]) for name in ("mean", "var")], x.astype(np.float64), mask[..., 0]


@pytest.mark.framework
def test_flax_does_not_weigh_masked_shards() -> None:
    """Once it does, the known fault of masked shards and its line in docs/findings.md are to be taken out."""
    with process_with(FlaxSynchronised.environment) as call:
        (equal, x, counted), (unequal, _, fewer) = (call(masked_in_shards, counts) for counts in ((3, 3), (4, 1)))
    close(equal, [x[counted].mean(0), x[counted].var(0)])
    means = np.stack([shard[row].mean(0) for shard, row in zip(x, fewer, strict=True)])
    squares = np.stack([np.square(shard[row]).mean(0) for shard, row in zip(x, fewer, strict=True)])
    close(unequal, [means.mean(0), squares.mean(0) - means.mean(0) ** 2])
    assert np.abs(unequal[0] - x[fewer].mean(0)).max() > 0.1
