"""Every case can show that each clause it claims is broken; the power is what `bnconform show` prints."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from tests.support.judge_layers import thinned

from bn_conformance.cases.model import SetStatistics
from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.build import fill
from bn_conformance.commands.show import describe_case
from bn_conformance.mutation.case_power import CIRCUMSTANCES, is_circumstance, power_of
from bn_conformance.mutation.catch import ROBUST
from bn_conformance.mutation.power import judged_cases
from bn_reference.deviations import catalogue
from bn_reference.specification.clauses import clauses

FAMILIES = sorted({all_cases()[case].family for case in judged_cases()})


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("family", FAMILIES)
def test_a_case_has_power_for_every_clause_that_it_claims(family: str, part: int) -> None:
    cases = thinned((all_cases()[case] for case in judged_cases() if all_cases()[case].family == family), part=0)
    weak = [
        f"{case.id} claims {claim.clause}: {claim.power:.3g}"
        for case in cases[part::4]
        for claim in power_of(case, thorough=False)
        if not claim.power > ROBUST
    ]
    assert weak == []


def test_a_case_without_power_for_a_clause_is_seen() -> None:
    case = all_cases()["fwd/nc/float32/eps-0.25"]
    (claim,) = power_of(replace(case, clauses=("GRAD-1",)))
    assert (claim.power, claim.caught, claim.any_way) == (0.0, (), None)
    assert "dx-without-mean-term" in claim.missed


def test_power_is_by_deviations_of_the_clause_in_order_of_their_ratio() -> None:
    (claim, _, _) = power_of(all_cases()["grad/nc/float32/random"])
    assert claim.clause == "GRAD-1"
    assert {catalogue()[catch.deviation].clause for catch in claim.caught} == {"GRAD-1"}
    assert [catch.ratio for catch in claim.caught] == sorted(catch.ratio for catch in claim.caught)
    assert claim.power == claim.caught[-1].ratio > 1000


def test_a_circumstance_is_broken_by_whatever_is_wrong_in_it() -> None:
    case = all_cases()["layout/ndhwc/float32/all"]
    first = next(power_of(replace(case, clauses=("FWD-5",))))
    assert first.any_way is not None
    assert first.power == first.any_way.ratio > ROBUST


def test_circumstances_exist() -> None:
    families = {clause.partition("-")[0] for clause in clauses()}
    assert set(CIRCUMSTANCES) <= families | clauses().keys()
    assert is_circumstance("NUM-1")
    assert not is_circumstance("GRAD-1")


def test_show_prints_it() -> None:
    shown = describe_case(all_cases()["fwd/nc/float32/random"])
    assert "Power" in shown
    assert "FWD-1 " in shown.partition("Power")[2]
    assert " caught, from " in shown


@pytest.mark.parametrize(
    ("case", "names"),
    [
        ("fwd/nc/float32/random", ["y"]),
        ("stat/nc/float32/first-step", ["running_mean", "running_var"]),
        ("grad/nc/float32/random", ["dx", "dgamma", "dbeta"]),
        ("eval/nc/float32/random", ["y"]),
    ],
)
def test_show_prints_goldens_of_what_the_case_judges(case: str, names: list[str]) -> None:
    goldens = describe_case(all_cases()[case]).partition("Goldens of the first step with data")[2].partition("\n\n")[0]
    assert re.findall(r"^  (\w+) +first value", goldens, re.MULTILINE) == names


def test_show_starts_from_the_statistics_that_the_case_sets() -> None:
    case = all_cases()["stat/nc/float32/momentum-0"]
    known = replace(case, id="set", steps=(SetStatistics(fill(3.0), fill(5.0)), *case.steps))
    shown = describe_case(known)
    assert "running_mean first value 3, allowed" in shown
    assert "running_var  first value 5, allowed" in shown
