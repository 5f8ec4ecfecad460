"""Diagnosis: the right deviation is named first, pairs too, and nothing is stated that passing cases contradict."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.conformance.diagnosed import examine

from bn_conformance.adapter import Convention
from bn_conformance.diagnosis import diagnose
from bn_conformance.results import Item
from bn_reference.deviations import catalogue


def test_a_deviation_is_named_with_its_sentence() -> None:
    done = examine("eps-outside-root")
    assert done.found is not None
    assert done.found.deviations == ("eps-outside-root",)
    assert done.found.confident
    assert "eps is added to the standard deviation instead of the variance" in done.found.message


def test_two_at_once_are_named() -> None:
    assert examine("y-unbiased", "gamma-absolute").verdict == "right"


def test_another_estimator_is_advice_to_declare_it() -> None:
    found = examine("running-var-biased").found
    assert found is not None
    assert "declare running_variance='biased'" in found.message


def item(case: str, verdict: str, explained_by: tuple[str, ...] | None = None) -> Item:
    outcome = "wrong" if verdict == "fail" else "tight"
    return Item(implementation="i", case=case, outcome=outcome, verdict=verdict, explained_by=explained_by)


def test_nothing_is_said_where_nothing_was_examined() -> None:
    assert diagnose("i", Convention(), [item("fwd/nc/float32/random", "pass")]) is None


def test_what_nothing_explains_is_said_so() -> None:
    found = diagnose("i", Convention(), [item("fwd/nc/float32/random", "fail", ())])
    assert found is not None
    assert (found.deviations, found.confident) == ((), False)
    assert "no known deviation explains it" in found.message


def test_a_deviation_that_passing_cases_contradict_is_not_stated() -> None:
    fails = item("fwd/nc/float32/random", "fail", ("gamma-ignored",))
    passes = [item(f"fwd/{layout}/float32/random", "pass") for layout in ("nchw", "nhwc", "ncl")]
    found = diagnose("i", Convention(), [fails, *passes])
    assert found is not None
    assert (found.deviations, found.confident) == ((), False)
    assert "contradicts 3 other cases" in found.message


def test_the_same_deviation_without_contradiction_is_stated() -> None:
    fails = [item(f"fwd/{layout}/float32/random", "fail", ("gamma-ignored",)) for layout in ("nc", "nchw")]
    found = diagnose("i", Convention(), [*fails, replace(item("stat/nc/float32/first-step", "pass"))])
    assert found is not None
    assert found.deviations == ("gamma-ignored",)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(catalogue())[::16])
def test_a_diagnosis_is_never_a_wrong_one(name: str) -> None:
    """A sample; `python -m tests.conformance.diagnosed` goes through all."""
    assert examine(name).verdict != "wrong"
