"""Two observations are the same only where everything that is judged is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bn_conformance.hosting.host import LayerError
from bn_conformance.hosting.operations import BackwardResult, ForwardResult
from bn_conformance.hosting.wire import NotAnArray
from bn_conformance.observing.observation import Observation, StepObservation, same


def observation() -> Observation:
    one = np.array([1.0, np.nan], np.float32)
    step = StepObservation(
        before=(one, one), forward=ForwardResult(one, False, False), backward=BackwardResult(one, one, None, False)
    )
    return Observation(steps=[step], initial=(one, one), error=LayerError("forward", "ValueError", "no"))


CHANGES: dict[str, Callable[[Observation], object]] = {
    "another step": lambda seen: seen.steps.append(StepObservation()),
    "a part that is lacking": lambda seen: setattr(seen.steps[0], "backward", None),
    "a part of another kind": lambda seen: setattr(seen, "initial", (NotAnArray("None"), NotAnArray("None"))),
    "the format": lambda seen: setattr(seen, "initial", (np.array([1.0, np.nan]), np.array([1.0, np.nan]))),
    "after another layer trained": lambda seen: setattr(seen.steps[0], "after_interrupt", seen.initial),
    "what changed later": lambda seen: seen.changed.append("y of forward 1"),
    "what was disturbed": lambda seen: seen.disturbed.append("dx of layer 0"),
    "statistics that were not kept": lambda seen: setattr(seen, "kept", False),
    "the error": lambda seen: setattr(seen, "error", LayerError("forward", "ValueError", "yes")),
    "the step of the error": lambda seen: setattr(seen, "error_step", 3),
    "the runs of a law": lambda seen: seen.laws.update(shift=()),
}


def test_equal_bits_are_the_same() -> None:
    assert same(observation(), observation())


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_each_part_counts(change: Callable[[Observation], object]) -> None:
    changed = observation()
    change(changed)
    assert not same(observation(), changed)


def test_the_sign_of_zero_counts() -> None:
    assert not same(np.array([0.0]), np.array([-0.0]))
