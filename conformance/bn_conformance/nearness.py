"""Whether a deviating layer is nearer to an observation than the right one, where bounds do not tell.

A case may ask for more than bounds do: for the very bits, or for the tightest level. Within bounds everything explains
such a failure, the right layer included, and so would any deviation whose effect the case does not even look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from bn_conformance.observation import Observation, StepObservation
from bn_reference.quad import to_quad

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
    names: Iterable[str], seen: Observation, theirs: Sequence[Observation], right: Sequence[Observation]
) -> float:
    """The distance from theirs as a part of that from the right layer; of some quantities (`step0.y`) the largest.

    Both layers ran several times, in the same arithmetics; the nearest run counts. Where theirs are clearly farther
    from one another than the right ones are, the layer scatters: what is no farther from them is at no distance.
    """
    return max((_part(name, seen, theirs, right) for name in names), default=0.0)


def _part(name: str, seen: Observation, theirs: Sequence[Observation], right: Sequence[Observation]) -> float:
    near, far = (min(_distance(name, seen, one) for one in runs) for runs in (theirs, right))
    scatter, usual = (
        max((_distance(name, one, other) for one, other in combinations(runs, 2)), default=0.0)
        for runs in (theirs, right)
    )
    if near <= scatter and scatter * NEARER > usual:
        return 0.0
    return near / far if far else 1.0


def _distance(name: str, one: Observation, other: Observation) -> float:
    """The largest difference of two arrays; 0 for what is no array of one shape, which bounds have judged."""
    arrays = [_array(name, seen) for seen in (one, other)]
    if any(not isinstance(array, np.ndarray) for array in arrays) or arrays[0].shape != arrays[1].shape:
        return 0.0
    first, second = (to_quad(array) for array in arrays)
    apart = np.abs(np.where(first == second, to_quad(0.0), first - second))
    apart = np.where(np.isnan(first) & np.isnan(second), to_quad(0.0), apart)
    apart = np.where(np.isnan(apart), to_quad(np.inf), apart)
    return float(apart.max()) if apart.size else 0.0


def _array(name: str, seen: Observation) -> Any:
    place, _, what = name.partition(".")
    index = int("".join(filter(str.isdigit, place)) or -1)
    return results_of(seen.steps[index]).get(what) if 0 <= index < len(seen.steps) else None
