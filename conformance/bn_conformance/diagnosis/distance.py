"""Is a mutant nearer to an observation than the reference layer is? This decides where bounds do not tell.

A case may ask for more than bounds do: for the very bits, or for the tightest level. Such a failure lies within the
bounds of every mutant whose effect the case does not show, and within those of the reference layer too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from bn_conformance.diagnosis.tuning import TUNING
from bn_conformance.observing.observation import Observation, StepObservation
from bn_conformance.results.records import Quantity


def results_of(step: StepObservation | None) -> dict[str, Any]:
    """What a step returned, by name; the running statistics after it included."""
    if step is None:
        return {}
    results = {"y": None if step.forward is None else step.forward.y}
    for part in (step.backward, step.second, step.saved, step.given):
        results |= {} if part is None else vars(part)
    return results | dict(zip(("running_mean", "running_var"), step.after or (), strict=False))


def relative_distance(
    wrong: Iterable[Quantity],
    observation: Observation,
    mutant_runs: Sequence[Observation],
    reference_runs: Sequence[Observation],
) -> float:
    """The distance to the mutant over the distance to the reference layer; the largest over all wrong quantities.

    Each distance is taken at the array's worst element: elsewhere rounding may exceed the error, and bounds judge it.
    Both layers ran several times, in the same arithmetics, and the nearest run counts. Where the mutant's runs scatter
    clearly more than the reference layer's do, an observation no farther away than they scatter is at distance 0.

    Args:
        wrong: the quantities that fail.
        observation: what the implementation gave.
        mutant_runs: what the mutant gave, at least one run.
        reference_runs: what the reference layer gave, at least one run.
    """
    return max(
        (_relative_distance(quantity, observation, mutant_runs, reference_runs) for quantity in wrong), default=0.0
    )


def comes_nearer(wrong: Quantity, observation: Observation, mutant: Observation, other: Observation) -> bool:
    """Whether a mutant is nearer to a wrong number than another layer is, at its worst element.

    Where there is no such element, it may be.
    """
    if wrong.index is None:
        return True
    to_other = _distance(wrong, observation, other)
    return _distance(wrong, observation, mutant) < TUNING.clearly_nearer * to_other or to_other == 0.0


def _relative_distance(
    wrong: Quantity,
    observation: Observation,
    mutant_runs: Sequence[Observation],
    reference_runs: Sequence[Observation],
) -> float:
    to_mutant, to_reference = (
        min(_distance(wrong, observation, run) for run in runs) for runs in (mutant_runs, reference_runs)
    )
    mutant_scatter, reference_scatter = (
        max((_distance(wrong, run, other_run) for run, other_run in combinations(runs, 2)), default=0.0)
        for runs in (mutant_runs, reference_runs)
    )
    if to_mutant <= mutant_scatter < math.inf and mutant_scatter * TUNING.nearer > reference_scatter:
        return 0.0
    return to_mutant / to_reference if to_reference and to_mutant < math.inf else 1.0


def _distance(wrong: Quantity, first: Observation, second: Observation) -> float:
    """The difference at the worst element; 0 where there are no two arrays of one shape, which bounds have judged."""
    array, other = (_array(wrong.name, observation) for observation in (first, second))
    if not isinstance(array, np.ndarray) or not isinstance(other, np.ndarray) or array.shape != other.shape:
        return 0.0
    if wrong.index is None or len(wrong.index) != array.ndim or np.any(np.array(wrong.index) >= array.shape):
        return 0.0
    number, other_number = float(array[wrong.index]), float(other[wrong.index])
    if number == other_number or (math.isnan(number) and math.isnan(other_number)):
        return 0.0
    difference = abs(number - other_number)
    return math.inf if math.isnan(difference) else difference


def _array(quantity: str, observation: Observation) -> Any:
    """What a quantity such as `step2.dx` names in an observation."""
    step, _, result = quantity.partition(".")
    place = int("".join(filter(str.isdigit, step)) or -1)
    return results_of(observation.steps[place]).get(result) if 0 <= place < len(observation.steps) else None
