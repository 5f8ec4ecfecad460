"""Shards of a run: balanced, stable, and together the whole."""

from __future__ import annotations

import json

import pytest

from bn_conformance.matrix.plan import Plan, make_plan
from bn_conformance.matrix.shards import costs_of, units_of
from bn_conformance.options import RunOptions
from bn_conformance.results.shard import Shard, ShardError

COSTS = {(f"i{number % 3}", f"s{number}"): float(1 + number % 7) for number in range(40)}


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_unit_is_in_one_shard_and_shards_cost_about_the_same(count: int) -> None:
    shards = [units_of(Shard(number, count), COSTS) for number in range(1, count + 1)]
    assert sorted(unit for shard in shards for unit in shard) == sorted(COSTS)
    sums = [sum(COSTS[unit] for unit in shard) for shard in shards]
    assert max(sums) - min(sums) <= max(COSTS.values())


def test_the_order_of_the_costs_changes_no_shard() -> None:
    assert units_of(Shard(2, 3), COSTS) == units_of(Shard(2, 3), dict(reversed(COSTS.items())))


def test_times_of_an_earlier_run_weigh() -> None:
    items = [("a::1", ("a", "s")), ("a::2", ("a", "t")), ("a::3", ("a", "u")), ("a::4", ("a", "v"))]
    costs = costs_of(items, {"a::1": 100.0, "a::2": 1.0, "a::3": 1.0})
    assert units_of(Shard(1, 2), costs) == (("a", "s"),)


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3", "-1/2", "1 / 2"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ShardError, match="write K/N"):
        Shard.parse(text)


def test_more_shards_than_there_is_work_for_are_refused() -> None:
    with pytest.raises(ShardError, match="so it can be divided by 40 at most"):
        units_of(Shard(1, 41), COSTS)


@pytest.mark.parametrize("cases", [("fwd/*", "mask/*"), ()])
def test_the_shards_of_a_plan_are_the_plan(cases: tuple[str, ...]) -> None:
    def plan(shard: str) -> Plan:
        return make_plan(RunOptions(implementations=("textbook.numpy",), cases=cases, shard=shard))

    whole, shards = plan(""), [plan(f"{number}/3") for number in (1, 2, 3)]
    assert sorted(item for shard in shards for item in shard.items) == sorted(whole.items)
    assert sum(len(shard.unsupported()) for shard in shards) == len(whole.unsupported()) > 0
    assert sorted(item for shard in shards for item in shard.beyond_sample) == sorted(whole.beyond_sample)
    assert bool(whole.beyond_sample) is not bool(cases)
    assert all(shard.items for shard in shards)
    assert Plan.from_json(json.loads(json.dumps(shards[0].to_json()))) == shards[0]
