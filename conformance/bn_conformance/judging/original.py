"""Judges a layer that was compiled or exported beside its original: what raises, and of which kind the results are.

Their numbers need no word: both are held against one golden, so that they differ by the sum of their bounds at most.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.hosting.operations import Returned
from bn_conformance.judging.arrays import fault
from bn_conformance.judging.pairs import NAMES, same_pair
from bn_conformance.observing.observation import Observation, StepObservation
from bn_conformance.results import outcomes
from bn_conformance.results.records import Quantity

REFUSES, OF_A_KIND = "JIT-1", "JIT-2"
"""The clauses: both raise or neither does; and results are of the kind of the original's."""


def judge_original(observation: Observation) -> tuple[Quantity, ...]:
    """A quantity for each way in which a layer is unlike its original, one for a layer that is like it.

    Args:
        observation: of the layer, with that of its original where the case asks for it; nothing is judged without.
    """
    original = observation.original
    if original is None:
        return ()
    if (message := _raised_differently(observation, original)) is not None:
        return (fault("original", message, (REFUSES,)),)
    unlike = tuple(
        fault(f"original.step{place}", message, (OF_A_KIND,))
        for place, (step, own) in enumerate(zip(observation.steps, original.steps, strict=False))
        for message in _unlike(step, own)
    )
    return unlike or (Quantity(name="original", outcome=outcomes.EXACT, clauses=(REFUSES, OF_A_KIND)),)


def _raised_differently(observation: Observation, original: Observation) -> str | None:
    here, there = observation.error, original.error
    if (here is None) == (there is None):
        return None
    if here is not None:
        return f"{here.with_place}; the original takes what this refuses"
    return f"it takes what the original refuses: {there}"


def _unlike(step: StepObservation, original: StepObservation) -> Iterator[str]:
    """How the results of a step differ in kind."""
    theirs = dict(_results(original))
    for name, got in _results(step):
        if name in theirs and (difference := _kind_differs(got, theirs[name])):
            yield f"{name} {difference}"
    if step.after is not None and original.after is not None:
        moved, theirs_moved = (not same_pair(each.before, each.after) for each in (step, original))
        if moved != theirs_moved:
            yield f"running statistics {'move' if moved else 'stay'}; those of the original do not"


def _results(step: StepObservation) -> Iterator[tuple[str, Returned | None]]:
    yield "y", step.forward.y
    if step.backward is not None:
        yield from (("dx", step.backward.dx), ("dgamma", step.backward.dgamma), ("dbeta", step.backward.dbeta))
    if step.after is not None:
        yield from zip(NAMES, step.after, strict=True)


def _kind_differs(got: Returned | None, original: Returned | None) -> str:
    """How a result is of another kind than that of the original; empty where it is of the same."""
    if not isinstance(got, np.ndarray) or not isinstance(original, np.ndarray):
        alike = isinstance(got, np.ndarray) == isinstance(original, np.ndarray) and (got is None) == (original is None)
        return "" if alike else "is there in one of the layer and its original alone"
    if got.shape != original.shape or got.dtype != original.dtype:
        return f"has shape {got.shape} and dtype {got.dtype}; the original gives {original.shape} and {original.dtype}"
    different = _is_finite(got) != _is_finite(original)
    if not different.any():
        return ""
    place = np.unravel_index(int(np.argmax(different)), got.shape)
    index = ", ".join(map(str, map(int, place)))
    return f"is {float(got[place])} at [{index}]; the original gives {float(original[place])}"


def _is_finite(array: Array) -> np.ndarray:
    return np.isfinite(np.asarray(array, np.float64))
