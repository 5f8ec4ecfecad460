"""The quantities of a case: statistics at their moment, save and load, repeats, and what a case asks of a level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.good_numpy import GoodLayer
from tests.support.judge_layers import adapter_of, goldens

from bn_conformance.adapter import Array, Convention
from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.local import LocalHost
from bn_conformance.judging.arrays import judge_as_asked
from bn_conformance.judging.case import quantities_of
from bn_conformance.judging.clauses import clause_of, clause_of_rest
from bn_conformance.judging.context import JudgingContext
from bn_conformance.observing.observation import Observation, Pair, StepObservation
from bn_conformance.observing.observe import observe
from bn_reference.arithmetic.quad import to_quad
from bn_reference.bounds.bound import Bound
from bn_reference.golden.expected import Expected

CASE = all_cases()["layout/nc/float32/all"]
MOVED: Pair = (np.full(5, 9.0, np.float32), np.full(5, 9.0, np.float32))


def observed(case: Case = CASE) -> Observation:
    return observe(case, goldens().data(case), LocalHost(adapter_of(GoodLayer)), explicit_update=False)


def faults(observation: Observation, repeat: Observation | None = None, case: Case = CASE) -> dict[str, str]:
    """Name and first clause of each wrong quantity."""
    convention = Convention()
    context = JudgingContext(case, goldens().data(case), goldens().steps(case, convention), convention)
    wrong = [entry for entry in quantities_of(context, observation, repeat) if entry.outcome == "wrong"]
    return {entry.name: entry.clauses[0] for entry in wrong}


def with_step(observation: Observation, position: int, step: StepObservation) -> Observation:
    steps = list(observation.steps)
    steps[position] = step
    return replace(observation, steps=tuple(steps))


def test_the_observation_of_a_right_layer_has_no_fault() -> None:
    assert faults(observed(), observed()) == {}


def test_statistics_that_move_in_backward_as_well_are_a_fault_of_timing() -> None:
    right = observed()
    moved = with_step(right, 0, replace(right.steps[0], after=MOVED))
    assert faults(moved)["step0.timing"] == "STAT-4"


def test_statistics_that_another_layer_moves_are_a_fault_of_purity() -> None:
    right = observed()
    moved = with_step(right, 0, replace(right.steps[0], after_interrupt=MOVED))
    assert faults(moved)["step0.statistics"] == "PURE-3"


def test_what_differs_in_a_repeat_is_a_fault() -> None:
    right = observed()
    y = right.steps[0].forward.y
    assert isinstance(y, np.ndarray)
    other = with_step(right, 0, replace(right.steps[0], forward=replace(right.steps[0].forward, y=-y)))
    assert "repeat" in faults(right, other)


def test_what_shows_at_the_end_names_its_clause() -> None:
    right = observed()
    assert faults(replace(right, changed=("y of forward 1",))) == {"changed-later": "PURE-4"}
    assert faults(replace(right, disturbed=("y of layer 0",))) == {"concurrent": "PURE-6"}
    assert faults(replace(right, kept=False)) == {"set.statistics": "DTYPE-4"}


@pytest.mark.parametrize(
    ("frozen", "training", "empty", "clause"),
    [
        (True, True, False, "STATE-3"),
        (False, False, False, "STAT-5"),
        (False, True, True, "EDGE-2"),
        (False, True, False, "MASK-5"),
    ],
)
def test_the_clause_under_which_statistics_stay(frozen: bool, training: bool, empty: bool, clause: str) -> None:
    assert clause_of_rest(frozen, training, empty) == clause


def test_a_mask_changes_the_clause_of_a_training_step_alone() -> None:
    assert clause_of("dx", training=True, masked=True) == "MASK-3"
    assert clause_of("dx", training=False, masked=True) == "GRAD-4"


@pytest.mark.parametrize(("asked", "outcome"), [({}, "stable"), ({"tight": True}, "wrong"), ({"exact": True}, "wrong")])
def test_a_case_may_ask_for_better_than_a_sound_level(asked: dict[str, bool], outcome: str) -> None:
    def bound(grade: object) -> Bound:
        allowed = 0.25 if getattr(grade, "level", "") == "tight" else 2.0
        return Bound(np.full((1, 1), allowed), np.ones(1, np.bool_))

    got: Array = np.array([[2.0]], np.float32)
    case = replace(CASE, **asked)  # type: ignore[arg-type]
    assert judge_as_asked(case, "y", Expected(to_quad(np.ones((1, 1))), bound), got, 1, ()).outcome == outcome
