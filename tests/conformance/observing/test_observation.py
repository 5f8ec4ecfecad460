"""Two observations are the same only where everything that is judged is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bn_conformance.hosting.host import LayerError
from bn_conformance.hosting.operations import BackwardResult, ForwardResult
from bn_conformance.hosting.wire import NotAnArray
from bn_conformance.observing.observation import Observation, StepObservation, same

VECTOR = np.array([1.0, np.nan], np.float32)
STEP = StepObservation(
    before=(VECTOR, VECTOR),
    forward=ForwardResult(VECTOR, False, False),
    backward=BackwardResult(VECTOR, VECTOR, None, False),
)


def observation(**changes: Any) -> Observation:
    error = LayerError("forward", "ValueError", "no")
    whole = Observation(steps=(STEP,), initial=(VECTOR.copy(), VECTOR.copy()), error=error)
    return replace(whole, **changes)


CHANGES: dict[str, Observation] = {
    "another step": observation(steps=(STEP, STEP)),
    "a part that is lacking": observation(steps=(replace(STEP, backward=None),)),
    "a part of another kind": observation(initial=(NotAnArray("None"), NotAnArray("None"))),
    "the format": observation(initial=(np.array([1.0, np.nan]), np.array([1.0, np.nan]))),
    "after another layer trained": observation(steps=(replace(STEP, after_interrupt=(VECTOR, VECTOR)),)),
    "what changed later": observation(changed=("y of forward 1",)),
    "what was disturbed": observation(disturbed=("dx of layer 0",)),
    "statistics that were not kept": observation(kept=False),
    "the error": observation(error=LayerError("forward", "ValueError", "yes")),
    "the step of the error": observation(error_step=3),
    "the trials of a law": observation(laws={"shift": ()}),
}


def test_equal_bits_are_the_same() -> None:
    assert same(observation(), observation())


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES.keys())
def test_each_part_counts(changed: Observation) -> None:
    assert not same(observation(), changed)


def test_the_sign_of_zero_counts() -> None:
    assert not same(np.array([0.0]), np.array([-0.0]))
