"""How a run is divided into shards: by implementation and signature, so that shapes are compiled on one machine each.

The same costs give the same shards on every machine, and every unit is in one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median

from bn_conformance.results.shard import Shard, ShardError

COST_OF_SIGNATURE = 10
"""What a signature costs beside its items, counted in items: it may have to be compiled."""

Unit = tuple[str, str]
"""What is never split: the name of an implementation and a signature."""


def costs_of(items: Iterable[tuple[str, Unit]], seconds: Mapping[str, float]) -> dict[Unit, float]:
    """What each unit costs.

    Args:
        items: id and unit of each item of the run.
        seconds: how long items took in an earlier run, by id; others are taken to last as long as the median of these.
    """
    usual = median(seconds.values()) if seconds else 1.0
    costs: dict[Unit, float] = {}
    for item, unit in items:
        costs[unit] = costs.get(unit, COST_OF_SIGNATURE * usual) + seconds.get(item, usual)
    return costs


def units_of(shard: Shard, costs: Mapping[Unit, float]) -> tuple[Unit, ...]:
    """The units of a shard. The most expensive unit that is left goes to the shard that has least to do.

    Raises:
        ShardError: there are fewer units than shards.
    """
    if shard.count > len(costs):
        at_most = "it is no more than one part" if len(costs) == 1 else f"it can be divided by {len(costs)} at most"
        kept = "cases of one implementation that share a shape and format stay together"
        raise ShardError(f"--shard {shard.number}/{shard.count}: {kept}, so {at_most}")
    sums, own = [0.0] * shard.count, list[Unit]()
    for unit in sorted(costs, key=lambda unit: (-costs[unit], unit)):
        place = sums.index(min(sums))
        sums[place] += costs[unit]
        if place == shard.number - 1:
            own.append(unit)
    return tuple(own)
