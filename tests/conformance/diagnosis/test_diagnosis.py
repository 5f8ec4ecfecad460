"""A diagnosis names the right deviation first, or the right pair, and states nothing that passing cases contradict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.measure import diagnosed
from tests.measure.diagnosed import examine

from bn_conformance.adapter import Convention
from bn_conformance.diagnosis.diagnose import diagnose
from bn_conformance.results.records import Item
from bn_reference.deviations import catalogue

FLAT = ("nc", "nchw", "nhwc")
TWO = (("nc", "ignored"), ("nchw", "absolute"))


@pytest.mark.slow
def test_a_deviation_is_named_with_its_sentence() -> None:
    diagnosis = examine("eps-outside-root").diagnosis
    assert diagnosis is not None
    assert diagnosis.deviations == ("eps-outside-root",)
    assert diagnosis.confident
    assert "eps is added to the standard deviation instead of the variance" in diagnosis.message


@pytest.mark.slow
def test_two_at_once_are_named() -> None:
    assert examine("y-unbiased", "gamma-absolute").verdict == "right"


@pytest.mark.slow
def test_another_estimator_is_advice_to_declare_it() -> None:
    diagnosis = examine("running-var-biased").diagnosis
    assert diagnosis is not None
    assert "declare running_variance='biased'" in diagnosis.message


def item(case: str, verdict: str, explained_by: tuple[str, ...] | None = None) -> Item:
    outcome = "wrong" if verdict == "fail" else "tight"
    return Item(implementation="i", case=case, outcome=outcome, verdict=verdict, explained_by=explained_by)


def test_nobody_is_sure_of_two_that_no_case_shows_together() -> None:
    ignored, absolute = (item(f"fwd/{layout}/float32/random", "fail", (f"gamma-{name}",)) for layout, name in TWO)
    both = replace(absolute, explained_by=("gamma-absolute+gamma-ignored",))
    agreeing = [item(f"stat/{layout}/float32/first-step", "pass") for layout in (*FLAT, "ncl", "nlc", "ncdhw")]
    apart = diagnose("i", Convention(), [ignored, absolute, *agreeing])
    together = diagnose("i", Convention(), [ignored, absolute, both, *agreeing])
    for diagnosis, confident in ((apart, False), (together, True)):
        assert diagnosis is not None
        assert set(diagnosis.deviations) == {"gamma-ignored", "gamma-absolute"}
        assert diagnosis.confident is confident


def test_nothing_is_said_where_nothing_was_examined() -> None:
    assert diagnose("i", Convention(), [item("fwd/nc/float32/random", "pass")]) is None


def test_what_nothing_explains_is_said_so() -> None:
    diagnosis = diagnose("i", Convention(), [item("fwd/nc/float32/random", "fail", ())])
    assert diagnosis is not None
    assert (diagnosis.deviations, diagnosis.confident) == ((), False)
    assert "no known deviation explains it" in diagnosis.message


def test_a_deviation_that_passing_cases_contradict_is_not_stated() -> None:
    fails = item("fwd/nc/float32/random", "fail", ("gamma-ignored",))
    passes = [item(f"fwd/{layout}/float32/random", "pass") for layout in ("nchw", "nhwc", "ncl")]
    diagnosis = diagnose("i", Convention(), [fails, *passes])
    assert diagnosis is not None
    assert (diagnosis.deviations, diagnosis.confident) == ((), False)
    assert "contradicts 3 other cases" in diagnosis.message


def test_the_same_deviation_without_contradiction_is_stated() -> None:
    fails = [item(f"fwd/{layout}/float32/random", "fail", ("gamma-ignored",)) for layout in ("nc", "nchw")]
    diagnosis = diagnose("i", Convention(), [*fails, replace(item("stat/nc/float32/first-step", "pass"))])
    assert diagnosis is not None
    assert diagnosis.deviations == ("gamma-ignored",)


def test_a_choice_that_may_be_declared_comes_before_a_mistake_that_acts_the_same() -> None:
    fails = [item(f"stat/{layout}/float32/first-step", "fail", ("never-moves", "moves-when-told")) for layout in FLAT]
    diagnosis = diagnose("i", Convention(), [*fails, item("fwd/nc/float32/random", "pass")])
    assert diagnosis is not None
    assert diagnosis.deviations == ("moves-when-told",)
    assert "cannot tell it from never-moves" in diagnosis.message


def test_contradictions_are_counted_for_the_nearest_candidate() -> None:
    fails = item("fwd/nc/float32/random", "fail", ("gamma-ignored", "eps-outside-root"))
    passes = [item(f"{family}/{layout}/float32/random", "pass") for family in ("fwd", "grad") for layout in FLAT]
    diagnosis = diagnose("i", Convention(), [fails, *passes])
    assert diagnosis is not None
    assert diagnosis.deviations == ()
    assert "contradicts" in diagnosis.message


def test_a_module_stands_for_its_deviations_and_the_order_of_processes_for_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def in_reverse(names: Sequence[str], processes: int) -> list[diagnosed.Diagnosed]:
        return [diagnosed.Diagnosed((name,), 1, None) for name in reversed(names)]

    monkeypatch.setattr(diagnosed, "examine_all", in_reverse)
    assert diagnosed.main(["masked_sums", "eps-outside-root", "-n", "3"]) == 0
    progress, _, summary = capsys.readouterr().out.partition("Not right:")
    names = [entry.name for entry in catalogue().values() if entry.group == "masked_sums"] + ["eps-outside-root"]
    assert len(names) > 2
    assert [line.split()[2] for line in progress.splitlines() if line] == names[::-1]
    assert [line.split()[1] for line in summary.splitlines()[1:-1]] == names
    assert summary.endswith(f"0 right, 0 tied, {len(names)} none, 0 wrong, 0 unseen\n")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(catalogue())[::16])
def test_a_diagnosis_is_never_a_wrong_one(name: str) -> None:
    """A sample; `python -m tests.measure.diagnosed` goes through all."""
    assert examine(name).verdict != "wrong"
