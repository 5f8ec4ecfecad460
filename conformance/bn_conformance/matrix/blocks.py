"""Blocks of work: what one process of a run works on at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from bn_conformance.catalogue import large_cases
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.shards import COST_OF_SIGNATURE

COST_OF_COMPILING = 10
"""What an item takes more where layers are compiled, in items."""

SEPARATOR = "#"
"""Stands between the implementation and the number of a block."""


ITEMS_OF_PROCESS = 450
"""Items that are worth a further process. To start one, which imports a framework, takes as long as some hundred; and
the process that judged all has the goldens for the diagnosis, which another one computes again.
"""


ITEMS_OF_FORK = 100
"""Items that are worth a fork (`bn_conformance.matrix.forks`), which starts at once; its worker loads the target."""


def processes_for(plan: Plan, worth: int = ITEMS_OF_PROCESS) -> int:
    """How many processes are worth starting: one for each framework, and more for many items or large ones.

    Of a check in stages the first one counts, since the later one may not be asked.

    Args:
        plan: of the run.
        worth: items that are worth a further process.
    """
    items, large = [entry for item, entry in plan.to_judge.items() if item not in plan.later], large_cases()
    frameworks = {implementation.process_key for implementation, _ in items}
    costs = (
        worth if case.id in large else 1 + COST_OF_COMPILING * implementation.capabilities.compiles
        for implementation, case in items
    )
    return len(frameworks) + sum(costs) // worth


FEW = 30
"""Items of a block of a run in stages."""


def blocks(plan: Plan, count: int) -> dict[str, str]:
    """A block for each item to judge: the items of each implementation in `count` blocks of about equal size.

    Items of one signature share a block, so that each signature is compiled in one process alone, and one
    implementation still keeps every core busy. A signature has the same number in every implementation where sizes
    allow it, so that the goldens of its cases are computed in one process alone, too.

    Of a run in stages each stage has blocks of its own, of a few dozen items: they are handed out as processes get on,
    so that all are through with a stage at about the same time.
    """
    items, count = plan.to_judge, max(count, 1)
    sizes: dict[str, Counter[str]] = defaultdict(Counter)
    for implementation, case in items.values():
        sizes[implementation.name][case.signature] += 1
    homes = _placed(sum(sizes.values(), Counter[str]()), count, {})
    places = {name: _placed(own, count, homes) for name, own in sizes.items()}
    homes_of = {
        item_id: f"{SEPARATOR}{places[implementation.name][case.signature]}"
        for item_id, (implementation, case) in items.items()
    }
    if not plan.options.in_stages:
        return {item_id: f"{items[item_id][0].name}{home}" for item_id, home in homes_of.items()}
    filled, found = Counter[str](), dict[str, str]()
    for item_id, home in homes_of.items():
        part = f"{items[item_id][0].name}, {'more' if item_id in plan.later else 'plain'}{home}"
        name, _, place = part.rpartition(SEPARATOR)
        found[item_id] = f"{name} {filled[part] // FEW}{SEPARATOR}{place}"
        filled[part] += 1
    return found


def _placed(sizes: Counter[str], count: int, homes: Mapping[str, int]) -> dict[str, int]:
    """A number for each signature: its home where that has room, else the number with the least work."""
    loads, places = [0] * count, dict[str, int]()
    room = 1.1 * (sizes.total() + COST_OF_SIGNATURE * len(sizes)) / count
    for signature, size in sizes.most_common():
        load, home = size + COST_OF_SIGNATURE, homes.get(signature)
        place = loads.index(min(loads)) if home is None or loads[home] + load > room else home
        loads[place] += load
        places[signature] = place
    return places
