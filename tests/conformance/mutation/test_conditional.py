"""A conditional mutant is its deviation where the condition holds, and the plain layer everywhere else."""

from __future__ import annotations

import pytest

from bn_conformance.adapter import Convention
from bn_conformance.cases.tensors import data_of
from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.local import LocalHost
from bn_conformance.mutation.bench import under_conventions
from bn_conformance.mutation.conditional import acts_when_built, conditional
from bn_conformance.mutation.conditions import Same, Where, Within
from bn_conformance.mutation.mutant import PlainAdapter
from bn_conformance.observing.observation import Observation, same
from bn_conformance.observing.observe import observe
from bn_reference.deviations import Deviation, catalogue

ALWAYS, NEVER = Where((Within("number", 1),)), Where((Within("number", 100000),))
ALWAYS_BUILT, NEVER_BUILT = Where((Within("channels", 1),)), Where((Within("channels", 100000),))
CASES = ["layout/nchw/float32/all", "state/nc/float32/save-frozen", "second/nc/float32/random"]


def observed(case_id: str, deviation: Deviation | None, convention: Convention) -> Observation:
    case = all_cases()[case_id]
    adapter = PlainAdapter([deviation] if deviation else [], convention)
    return observe(case, data_of(case), LocalHost(adapter), convention.statistics_move == "explicit")


@pytest.mark.parametrize("case_id", CASES)
def test_it_is_the_deviation_where_the_condition_always_holds_and_the_plain_layer_where_it_never_does(
    case_id: str,
) -> None:
    wrong = []
    for convention, deviations in under_conventions(catalogue().values()):
        plain = observed(case_id, None, convention)
        for deviation in deviations[::4]:
            built = acts_when_built(deviation)
            always, never = (
                conditional(deviation, where, convention)
                for where in ((ALWAYS_BUILT, NEVER_BUILT) if built else (ALWAYS, NEVER))
            )
            whole = observed(case_id, deviation, convention)
            # A state that is set before the first call is no business of a condition on calls.
            if built and not same(observed(case_id, always, convention), whole):
                wrong.append(always.name)
            if not same(observed(case_id, never, convention), plain):
                wrong.append(never.name)
    assert wrong == []


def test_a_condition_is_asked_in_each_call() -> None:
    deviation = catalogue()["eps-outside-root"]
    second = conditional(deviation, Where((Within("number", 2),)), Convention())
    case = "layout/nchw/float32/all"
    plain, whole, changed = (observed(case, entry, Convention()) for entry in (None, deviation, second))
    assert [step.forward.y.tobytes() for step in changed.steps] == [  # type: ignore[union-attr]
        plain.steps[0].forward.y.tobytes(),  # type: ignore[union-attr]
        whole.steps[1].forward.y.tobytes(),  # type: ignore[union-attr]
    ]


def test_a_backward_is_where_its_own_forward_was_but_for_the_memory_of_dy() -> None:
    deviation = catalogue()["dx-without-mean-term"]
    case, convention = "layout/nchw/float32/view-contiguous-dy-strided", Convention()
    strided = conditional(deviation, Where((Same("memory", "strided"),)), convention)
    other = conditional(deviation, Where((Same("memory", "permuted"),)), convention)
    assert same(observed(case, strided, convention), observed(case, deviation, convention))
    assert same(observed(case, other, convention), observed(case, None, convention))


def test_a_backward_that_needs_what_its_forward_kept_acts_with_it_alone() -> None:
    deviation = catalogue()["saved-y-by-reference"]
    changed = conditional(deviation, Where((Same("memory", "permuted"),)), Convention())
    case = "layout/nc/float32/view-contiguous-dy-fortran"
    assert same(observed(case, changed, Convention()), observed(case, None, Convention()))


def test_it_says_in_words_what_it_is() -> None:
    mutant = conditional(catalogue()["eps-outside-root"], Where((Within("channels", 8),)), Convention())
    assert mutant.name == "eps-outside-root where C >= 8"
    assert mutant.sentence.endswith("Only where C >= 8.")
