"""What the diagnosis spares changes nothing of what it sees: bounds in float64, faults without numbers, kept work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from tests.measure.diagnosed import Mutant
from tests.support.judge_layers import goldens

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases
from bn_conformance.diagnosis.failing_goldens import remembering
from bn_conformance.diagnosis.faults import Faults, is_fault
from bn_conformance.diagnosis.kept import Kept
from bn_conformance.diagnosis.mutant_runs import FailingCase
from bn_conformance.diagnosis.shifted_goldens import shifted
from bn_conformance.judging.case import quantities_of
from bn_conformance.judging.context import JudgingContext
from bn_conformance.judging.goldens import StepGolden
from bn_reference.arithmetic.quad import to_quad
from bn_reference.bounds.bound import Bound
from bn_reference.definition.state import Statistics
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import STABLE, TIGHT, Grade

CASES = ("grad/nc/float32/random", "num/nchw/float32/offset-1000", "grad/nchw/float64/random")


def failing(name: str, case: Case) -> FailingCase:
    """A case as a mutant fails it."""
    mutant = Mutant.of(name)
    with np.errstate(all="ignore"):
        observation, repeat = mutant.runs(case)
    steps = goldens().steps(case, Convention())
    return FailingCase(case, observation, repeat, Convention(), goldens().data(case), steps)


def in_binary128(expected: Expected) -> Expected:
    """A golden whose bounds are in binary128."""

    def bound(grade: Grade) -> Bound:
        allowed, meaningful = expected.bound(grade)
        return Bound(to_quad(allowed), meaningful)

    return Expected(expected.values, bound)


@pytest.mark.parametrize("case_id", CASES)
@pytest.mark.parametrize("name", ["eps-outside-root", "gamma-ignored", "dx-through-float16"])
def test_shifted_bounds_in_float64_are_those_in_binary128(name: str, case_id: str) -> None:
    case = failing(name, all_cases()[case_id])
    step, golden = case.observation.steps[0], case.goldens[0]
    assert golden.training is not None
    wide = replace(golden, training={key: in_binary128(value) for key, value in golden.training.items()})
    with np.errstate(all="ignore"):
        near, far = (shifted(one, step, [step], case.case).training for one in (golden, wide))
        assert near is not None
        assert far is not None
        for key, expected in near.items():
            for grade in (TIGHT, STABLE):
                allowed, other = expected.bound(grade).allowed, far[key].bound(grade).allowed
                assert allowed.dtype == np.float64
                assert np.allclose(allowed, other.astype(np.float64), rtol=1e-13, atol=0.0)


@pytest.mark.parametrize(
    ("name", "case_id"),
    [
        ("eps-outside-root", "grad/nc/float32/random"),
        ("x-overwritten-in-backward", "pure/nc/float32/same-bits"),
        ("mean-never-moves", "stat/nc/float32/first-step"),
        ("freeze-resets-statistics", "grad/nc/float32/frozen"),
        ("momentum-swapped", "stat/nc/float32/momentum-0"),
    ],
)
def test_faults_are_those_of_a_whole_judgement(name: str, case_id: str) -> None:
    case = failing(name, all_cases()[case_id])
    context = JudgingContext(case.case, case.data, case.goldens, case.convention)
    with np.errstate(all="ignore"):
        whole = [one.name for one in quantities_of(context, case.observation, case.repeat) if is_fault(one)]
        assert {fault for fault, _ in Faults(case).own} == set(whole)


def test_a_golden_remembers_what_follows_from_the_same_statistics() -> None:
    case = all_cases()["eval/nc/float32/random"]
    (step,) = remembering(goldens().steps(case, Convention()))
    channels = case.config.num_channels
    one, two = (Statistics.known(np.full(channels, mean), np.ones(channels)) for mean in (1.0, 2.0))
    assert step.golden.inference(one, step.dy) is step.golden.inference(one, step.dy)
    assert step.golden.inference(one, step.dy) is not step.golden.inference(two, step.dy)
    y = StepGolden(step.golden.golden, step.dy, None).golden.inference(two, step.dy)["y"].values  # type: ignore[attr-defined]
    assert np.array_equal(step.golden.inference(two, step.dy)["y"].values, y)


def test_what_is_kept_is_computed_as_far_as_it_is_asked_for_and_once() -> None:
    computed: list[int] = []

    def source() -> Iterator[int]:
        for number in (3, 4, 5):
            computed.append(number)
            yield number

    kept = Kept(source())
    assert next(iter(kept)) == 3
    assert computed == [3]
    assert list(kept) == list(kept) == computed == [3, 4, 5]
