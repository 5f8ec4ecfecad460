"""Whether a deviating layer is nearer to an observation than the right one, where bounds do not tell.

A case may ask for more than bounds do: for the very bits, or for the tightest level. Within bounds everything explains
such a failure, the right layer included, and so would any deviation whose effect the case does not even look at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from bn_conformance.observing.observation import Observation, StepObservation
from bn_conformance.results.records import Quantity

NEARER = 0.5
"""The distance of the deviating layer, as a part of that of the right one, that counts as nearer."""


def results_of(step: StepObservation | None) -> dict[str, Any]:
    """What a step gave, by name."""
    if step is None:
        return {}
    found = {"y": None if step.forward is None else step.forward.y}
    for part in (step.backward, step.second):
        found |= {} if part is None else vars(part)
    return found | dict(zip(("running_mean", "running_var"), step.after or (), strict=False))


def how_far(
    wrong: Iterable[Quantity], seen: Observation, theirs: Sequence[Observation], right: Sequence[Observation]
) -> float:
    """The distance from theirs as a part of that from the right layer; of what is wrong the largest.

    It is taken at each array's worst element: elsewhere rounding may be more than what is wrong, and bounds judge it.
    Both layers ran several times, in the same arithmetics; the nearest run counts. Where theirs are clearly farther
    from one another than the right ones are, the layer scatters: what is no farther from them is at no distance.
    """
    return max((_part(quantity, seen, theirs, right) for quantity in wrong), default=0.0)


def _part(wrong: Quantity, seen: Observation, theirs: Sequence[Observation], right: Sequence[Observation]) -> float:
    near, far = (min(_distance(wrong, seen, one) for one in runs) for runs in (theirs, right))
    scatter, usual = (
        max((_distance(wrong, one, other) for one, other in combinations(runs, 2)), default=0.0)
        for runs in (theirs, right)
    )
    if near <= scatter < math.inf and scatter * NEARER > usual:
        return 0.0
    return near / far if far and near < math.inf else 1.0


def _distance(wrong: Quantity, one: Observation, other: Observation) -> float:
    """The difference at the worst element; 0 for what is no array of one shape, which bounds have judged."""
    first, second = (_array(wrong.name, seen) for seen in (one, other))
    if not isinstance(first, np.ndarray) or not isinstance(second, np.ndarray) or first.shape != second.shape:
        return 0.0
    if wrong.index is None or len(wrong.index) != first.ndim or np.any(np.array(wrong.index) >= first.shape):
        return 0.0
    here, there = float(first[wrong.index]), float(second[wrong.index])
    if here == there or (math.isnan(here) and math.isnan(there)):
        return 0.0
    apart = abs(here - there)
    return math.inf if math.isnan(apart) else apart


def _array(name: str, seen: Observation) -> Any:
    place, _, what = name.partition(".")
    index = int("".join(filter(str.isdigit, place)) or -1)
    return results_of(seen.steps[index]).get(what) if 0 <= index < len(seen.steps) else None
