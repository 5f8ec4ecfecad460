"""Cases of a layer whose eps or momentum is a literal: they run with its own value, unless they need another."""

from __future__ import annotations

import pytest

from bn_conformance.adapter import Capabilities, Convention
from bn_conformance.cases.literals import with_own_values
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases

LITERAL = Capabilities(literals=frozenset({"eps", "momentum"}))

OF_EPS = "eps is the literal 1e-05 in its code, and another eps is needed"
OF_MOMENTUM = "momentum is the literal 0.1 in its code, and another momentum is needed"
OF_BOTH = "eps is the literal 1e-05 and momentum is the literal 0.1 in its code, and others are needed"


@pytest.mark.parametrize(
    "case_id", ["fwd/nc/float32/random", "stat/nchw/float32/first-step", "num/nchw/float32/offset-1000"]
)
def test_a_case_that_needs_no_value_runs_with_the_own_one(case_id: str) -> None:
    own = with_own_values(all_cases()[case_id], LITERAL, Convention())
    assert (own.config.eps, own.config.momentum) == (None, None)
    assert unsupported_reason(all_cases()[case_id], LITERAL, Convention()) is None


@pytest.mark.parametrize(
    ("case_id", "reason"),
    [
        ("fwd/nc/float32/eps-0.25", OF_EPS),
        ("fwd/nc/float32/eps-0.000976562", OF_EPS),
        ("stat/nc/float32/momentum-0", OF_MOMENTUM),
        ("num/nc-2x8/float32/exact", OF_BOTH),
    ],
)
def test_a_case_that_needs_a_value_is_left_out_with_that_reason(case_id: str, reason: str) -> None:
    assert unsupported_reason(all_cases()[case_id], LITERAL, Convention()) == reason


def test_a_case_that_sets_the_own_value_runs() -> None:
    assert unsupported_reason(all_cases()["fwd/nc/float32/eps-1e-05"], LITERAL, Convention()) is None
    momentum = all_cases()["stat/nc/float32/momentum-0.1"]
    assert unsupported_reason(momentum, LITERAL, Convention(momentum_weighs="old", default_momentum=0.9)) is None


def test_what_is_no_literal_stays() -> None:
    case = all_cases()["fwd/nc/float32/random"]
    assert with_own_values(case, Capabilities(), Convention()) is case
    only_eps = with_own_values(case, Capabilities(literals=frozenset({"eps"})), Convention())
    assert (only_eps.config.eps, only_eps.config.momentum) == (None, 0.25)


def test_most_cases_of_a_layer_of_literals_run() -> None:
    plain = [case for case in all_cases().values() if not unsupported_reason(case, Capabilities(), Convention())]
    judged = [case for case in plain if not unsupported_reason(case, LITERAL, Convention())]
    assert len(judged) > 0.75 * len(plain)
