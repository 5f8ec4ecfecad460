"""A mutant explains the observation that it gave itself, and no other mutant does."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tests.measure.diagnosed import Mutant, UsualPrecision
from tests.support.judge_layers import goldens

from bn_conformance.adapter import Convention
from bn_conformance.catalogue import all_cases
from bn_conformance.diagnosis.distance import relative_distance
from bn_conformance.diagnosis.match import Matcher
from bn_conformance.diagnosis.predictions import Predictions
from bn_conformance.diagnosis.tuning import TUNING
from bn_conformance.hosting.local import LocalHost
from bn_conformance.observing.observation import Observation, same
from bn_conformance.observing.observe import observe
from bn_conformance.results.records import Item, Quantity
from bn_reference.deviations import Deviation, catalogue


def parts(names: str) -> tuple[Deviation, ...]:
    return tuple(catalogue()[name] for name in names.split("+") if name)


def observed(names: str, case_id: str) -> Observation:
    """What an implementation in float32 with these deviations would give."""
    with np.errstate(all="ignore"):
        return Mutant(parts(names), Convention()).observe(all_cases()[case_id])


@cache
def matcher(names: str, case_id: str) -> Matcher:
    case = all_cases()[case_id]
    repeat = observed(names, case_id) if case.repeat else None
    with np.errstate(all="ignore"):
        return Matcher.of(case, observed(names, case_id), repeat, Convention(), goldens())


def explains(names: str, of: str, case_id: str) -> bool:
    with np.errstate(all="ignore"):
        return not matcher(of, case_id).left(parts(names))


def explains_with_allowance(names: str, of: str, case_id: str) -> bool:
    with np.errstate(all="ignore"):
        return matcher(of, case_id).explains_with_allowance(parts(names))


FROZEN, OVERWRITTEN, TWICE = "grad/nc/float32/frozen", "mask/nc/float32/overwritten", "pure/nc/float32/same-bits"
WIDE, OFFSET = "state/nchw/float16-p-float32/save-wide-parameters", "stat/nchw/float32/offset-1000"


@pytest.mark.parametrize(
    ("name", "case_id"),
    [
        ("eps-outside-root", "fwd/nc/float32/random"),
        ("running-var-takes-in-deviation", "stat/nc/float32/first-step"),
        ("running-var-takes-in-other-deviation", "stat/nc/float32/first-step"),
        ("saved-inverse-rooted-again", "grad/nc/float32/random"),
        ("freeze-resets-statistics", FROZEN),
        ("saved-y-by-reference", OVERWRITTEN),
        ("x-overwritten-in-backward", TWICE),
        ("dx-through-float16", "layout/nc/float32/all"),
    ],
)
def test_a_deviation_explains_what_it_gave_in_other_arithmetic(name: str, case_id: str) -> None:
    assert explains(name, of=name, case_id=case_id)
    assert not explains_with_allowance("eps-in-numerator", of=name, case_id=case_id)


def test_noise_that_a_deviation_magnifies_is_allowed_for() -> None:
    assert not explains("raw-moments", of="raw-moments", case_id=OFFSET)
    assert explains_with_allowance("raw-moments", of="raw-moments", case_id=OFFSET)
    assert not explains_with_allowance("bessel-twice", of="raw-moments", case_id=OFFSET)


@pytest.mark.parametrize("calls", [0, 1])
def test_what_goes_by_calls_that_nobody_counted_has_a_second_try(calls: int) -> None:
    case = all_cases()["state/nchw/float64/alternating"]
    adapter = UsualPrecision(parts("not-the-same-twice"))
    for _ in range(calls):
        adapter.call_once(case, goldens().data(case))
    with np.errstate(all="ignore"):
        observation = observe(case, goldens().data(case), LocalHost(adapter), False)
        matcher = Matcher.of(case, observation, None, Convention(), goldens())
        assert matcher.explains_with_allowance(parts("not-the-same-twice"))


def test_two_runs_that_differ_are_explained_by_what_differs_from_run_to_run_alone() -> None:
    case_id = "pure/nchw/float64/same-bits"
    assert explains_with_allowance("not-the-same-twice", of="not-the-same-twice", case_id=case_id)
    assert not explains_with_allowance("gamma-absolute", of="not-the-same-twice", case_id=case_id)


@pytest.mark.parametrize("name", ["folded-scale-in-storage", "gamma-loaded-in-format-of-x"])
def test_a_case_that_asks_for_more_than_bounds_is_not_explained_by_what_it_does_not_look_at(name: str) -> None:
    assert explains(name, of=name, case_id=WIDE)
    assert not explains_with_allowance("initial-mean-one", of=name, case_id=WIDE)


def test_near_is_half_as_far_as_the_reference_layer_or_within_the_mutants_own_scatter() -> None:
    reference = observed("", "fwd/nc/float32/random")
    y = reference.steps[0].forward.y
    assert isinstance(y, np.ndarray)

    def moved(by: float) -> Observation:
        forward = replace(reference.steps[0].forward, y=y + np.float32(by))
        return replace(reference, steps=(replace(reference.steps[0], forward=forward),))

    worst = Quantity(name="step0.y", outcome="wrong", clauses=(), index=(0,) * y.ndim)

    def distance(*mutant_runs: Observation) -> float:
        return relative_distance([worst], moved(1.0), mutant_runs, [reference, moved(0.01)])

    assert distance(moved(1.25)) <= TUNING.nearer < distance(moved(2.0))
    assert distance(reference) > 1.0
    assert distance(moved(2.0), moved(3.0)) == 0.0
    assert distance(reference, moved(0.01)) == 1.0


def test_a_small_wrong_gradient_is_not_explained_by_what_leaves_it_alone() -> None:
    name, case_id = "gradient-rounded-to-loss-scale", "grad/nchw/float32/inference-random"
    assert explains_with_allowance(name, of=name, case_id=case_id)
    assert not explains_with_allowance("beta-ignored", of=name, case_id=case_id)


def test_arrays_that_changed_later_make_a_difference() -> None:
    reference = observed("", TWICE)
    assert same(reference, observed("", TWICE))
    assert not same(reference, replace(reference, changed=("x of forward 1",)))
    assert not same(reference, replace(reference, disturbed=("dx of layer 0",)))


def test_a_case_does_not_contradict_what_would_pass_the_next_time() -> None:
    case = all_cases()["fwd/nchw/float64/random"]
    passes = Item(implementation="i", case=case.id, outcome="tight", verdict="pass")
    predictions = Predictions(Convention())
    for _ in range(2):
        assert not predictions.contradicts(parts("not-the-same-twice"), passes, case)
    assert predictions.contradicts(parts("gamma-ignored"), passes, case)


def test_a_case_does_not_contradict_what_only_the_arithmetic_of_implementations_shows() -> None:
    name, case = "y-buffer-shared-by-layers", all_cases()["law/nchw/float32/shift"]
    fails = Mutant(parts(name), Convention()).judge(case)
    assert fails.verdict == "fail"
    assert not Predictions(Convention()).contradicts(parts(name), fails, case)
    assert Predictions(Convention()).contradicts(parts("initial-mean-one"), fails, case)
