"""A diagnosis names the right deviation first, or the right ones, and states nothing that passing cases contradict."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from tests.measure import diagnosed
from tests.measure.diagnosed import Mutant, examine

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases
from bn_conformance.diagnosis.diagnose import diagnose
from bn_conformance.diagnosis.subject import JudgedImplementation, deviations_for
from bn_conformance.hosting.host import LayerError
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import Runs, judge_runs
from bn_conformance.mutation.bench import lenient_policy
from bn_conformance.mutation.mutant import ALL_CAPABILITIES
from bn_conformance.observing.observation import Observation
from bn_conformance.results.records import Diagnosis, Item
from bn_reference.deviations import catalogue

CASES = [
    f"{name}/{place}/float32/{slug}"
    for place in ("nc", "nchw")
    for name, slug in (
        ("fwd", "random"),
        ("fwd", "gamma-one"),
        ("fwd", "gamma-negative"),
        ("grad", "random"),
        ("stat", "first-step"),
        ("stat", "start-0.25-2"),
        ("eval", "random"),
        ("edge", "nan-in-training"),
    )
]


def subject(*names: str, cases: Sequence[str] = (), masks: bool = True) -> JudgedImplementation:
    """A mutant after a run of a few cases."""
    mutant = Mutant.of(*names)
    chosen = {case: all_cases()[case] for case in cases or CASES if case in all_cases()}
    with np.errstate(all="ignore"):
        items = [mutant.judge(case) for case in chosen.values()]
    return JudgedImplementation(
        "i", mutant.convention, replace(ALL_CAPABILITIES, masks=masks), items, chosen, mutant.runs
    )


def told(of: JudgedImplementation) -> Diagnosis:
    diagnosis = diagnose(of)
    assert diagnosis is not None
    return diagnosis


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


def test_a_long_case_does_not_keep_a_short_one_from_being_explained() -> None:
    failing = ("stat/nchw/float32/offset-1000", "state/nchw/float32/momentum-0", "stat/nchw/float64/momentum-0")
    passing = ("fwd/nchw/float32/random", "stat/nchw/float32/first-step", "stat/nchw/float64/first-step")
    diagnosis = told(subject("raw-moments", "momentum-zero-as-default", cases=(*failing, *passing)))
    assert {"raw-moments", "momentum-zero-as-default"} == {*diagnosis.deviations}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["loaded-through-float16", "statistics-known-by-array", "raw-moments-with-a-mask", "raw-moments"]
)
def test_what_long_cases_alone_show_is_named_and_what_rounding_hides(name: str) -> None:
    diagnosis = examine(name).diagnosis
    assert diagnosis is not None
    assert diagnosis.deviations == (name,)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "plans-of-four-sizes",  # shows in one case of thirty steps, which costs as many times all deviations
        "any-rank-accepted",  # ends in an error of another operation than the reference layer
        "nan-hidden",  # the largest number of the format, whatever the mutant is computed in
        "overflow-gives-nan",  # overflows where no result of the mutant is rounded, too
        "folded-by-sums",  # two threads get other bytes by rounding alone, which no second mistake explains
        "dx-overwritten-by-next-call",  # memory holds other bytes by rounding alone
        "cumulative-average-moves-at-rank-3",  # hundreds of passing cases pass before one tells it from its like
        "folded-by-last-channel",  # a case that was not asked tells it from its like
    ],
)
def test_a_mistake_is_named_alone_and_surely(name: str) -> None:
    diagnosis = examine(name).diagnosis
    assert diagnosis is not None
    assert diagnosis.deviations == (name,)


LIKE = ("folded-by-first-channel", "folded-by-last-channel")
TOLD_BY = "state/nhcw-3x3x3x3/float64/tour-cube-between-state"


@pytest.mark.parametrize("name", LIKE)
def test_a_case_more_tells_apart_what_explains_the_same(name: str) -> None:
    asked = subject(name, cases=("state/nc/float32/change-middle", "eval/nc/float32/random"))
    runs, more = list[str](), [all_cases()[case] for case in ("state/nc/float32/change-order", TOLD_BY)]

    def observe(case: Case) -> Runs | None:
        runs.append(case.id)
        return asked.observe(case)

    assert "cannot tell it from " in told(replace(asked, observe=observe)).message
    assert TOLD_BY not in runs
    assert told(replace(asked, observe=observe, unasked=more)).deviations == (name,)
    assert TOLD_BY in runs
    error: Runs = Observation(error=LayerError("build", "NotImplementedError", "not that"), error_step=-1), None

    def gives(instead: Runs | None, case: Case) -> Runs | None:
        return instead if case in more else asked.observe(case)

    for instead in (None, error):
        odd = replace(asked, observe=partial(gives, instead), unasked=more)
        assert "cannot tell it from " in told(odd).message
    assert "cannot tell it from " in told(replace(asked, unasked=more, taken=lambda _: [])).message
    other = replace(
        asked, observe=lambda case: unknown(case) if case in more else asked.observe(case), unasked=more[1:]
    )
    assert name in told(other).message  # it fails by another mistake, which says nothing of these


def test_two_that_other_cases_show_are_both_named_each_with_its_cases() -> None:
    diagnosis = told(subject("gamma-absolute", "running-var-biased"))
    assert set(diagnosis.deviations) == {"gamma-absolute", "running-var-biased"}
    lines = diagnosis.message.splitlines()
    assert len(lines) == 2
    assert all(" failing cases that were examined" in line for line in lines)


def test_the_cause_of_most_failures_comes_first() -> None:
    diagnosis = told(subject("running-var-biased", "y-unbiased"))
    assert diagnosis.deviations[0] == "y-unbiased"


def test_an_algorithm_is_named_although_rounding_decides_where_it_gives_a_number() -> None:
    cases = [f"num/nchw/float32/offset-{offset}" for offset in ("10", "1000", "10000", "100000", "1e+06", "1e+07")]
    diagnosis = told(subject("raw-moments", cases=cases))
    assert diagnosis.deviations == ("raw-moments",)
    assert "explains all 4 failing cases" in diagnosis.message
    assert "cannot tell it from raw-sums" in diagnosis.message


def test_another_estimator_is_advice_to_declare_it() -> None:
    assert "declare running_variance='biased'" in told(subject("running-var-biased")).message


def test_nothing_is_said_where_nothing_fails() -> None:
    assert diagnose(subject()) is None


def unknown(case: Case) -> Runs:
    """What no deviation gives: y of the reference layer, twisted."""
    observation, repeat = Mutant((), Convention()).runs(case)
    step = observation.steps[0]
    y = step.forward.y
    assert isinstance(y, np.ndarray)
    twisted = replace(step, forward=replace(step.forward, y=y + np.sin(7.0 * y).astype(y.dtype)))
    return replace(observation, steps=(twisted, *observation.steps[1:])), repeat


def test_what_nothing_explains_is_described_by_what_its_cases_share() -> None:
    right = subject()
    failing = "fwd/nchw/float32/random"
    goldens, policy = Goldens(), lenient_policy()
    with np.errstate(all="ignore"):
        wrong = judge_runs("i", right.cases[failing], unknown(right.cases[failing]), Convention(), goldens, policy)
    items = [wrong if item.case == failing else item for item in right.items]
    diagnosis = told(replace(right, items=items, observe=unknown))
    assert (diagnosis.deviations, diagnosis.confident) == ((), False)
    assert diagnosis.message.startswith("No known deviation explains it: 1 failing case left: y (1); it has ")
    alone = told(replace(right, items=[wrong], observe=unknown))
    assert alone.message.endswith("1 failing case left: y (1); no case passes that they could be compared with.")


def test_a_deviation_that_passing_cases_contradict_is_not_stated() -> None:
    """Where all other cases pass, gamma is not ignored, whatever one case looks like."""
    ignored, right = subject("gamma-ignored"), subject()
    failing = next(item for item in ignored.items if item.verdict == "fail")
    items = [failing, *(item for item in right.items if item.case != failing.case)]
    diagnosis = told(replace(ignored, items=items))
    assert "gamma-ignored" not in diagnosis.deviations


def test_no_deviation_of_masks_is_named_where_there_are_none() -> None:
    with_masks, without = (deviations_for(Convention(), replace(ALL_CAPABILITIES, masks=has)) for has in (True, False))
    assert any(entry.clause.startswith("MASK") for entry in with_masks)
    assert not any(entry.clause.startswith("MASK") for entry in without)


@pytest.mark.slow
def test_a_usual_edge_is_said_once_beside_the_mistake() -> None:
    cases = [*CASES, "edge/nc-1x5/float32/one-value", "edge/nc-0x5/float32/empty-batch"]
    mistaken = subject("eps-outside-root", cases=cases)

    def observe(case: Case) -> Runs | None:
        if case.family != "EDGE":
            return mistaken.observe(case)
        return Observation(error=LayerError("forward", "ZeroDivisionError", "division by zero"), error_step=0), None

    items = [item if not item.case.startswith("edge/") else errored(item) for item in mistaken.items]
    diagnosis = told(replace(mistaken, items=items, observe=observe))
    assert diagnosis.deviations[0] == "eps-outside-root"


@pytest.mark.slow
def test_where_nothing_but_edges_fails_that_is_said() -> None:
    edge = "edge/nc-0x5/float32/empty-batch"
    diagnosis = told(subject("empty-batch-spoils-statistics", cases=[*CASES, edge]))
    assert diagnosis.message.endswith("Every failing case is at one of these edges: all 14 cases beside them pass.")


def test_what_fails_and_then_is_refused_is_looked_at_in_other_cases() -> None:
    """A backward that is refused says nothing of the number before it; mutants do not refuse."""
    mistaken = subject("eps-outside-root")

    def refusing(case: Case) -> Runs:
        observation, repeat = mistaken.observe(case) or (Observation(), None)
        if case.family == "GRAD":
            error = LayerError("backward", "RuntimeError", "changed in place")
            observation = replace(observation, error=error, error_step=0)
        return observation, repeat

    diagnosis = told(replace(mistaken, observe=refusing))
    assert diagnosis.deviations == ("eps-outside-root",)
    assert "failing case left" not in diagnosis.message


def errored(item: Item) -> Item:
    return replace(item, outcome="errored", verdict="fail", message="division by zero", quantities=())


def test_a_diagnosis_ends_at_its_budget_and_says_so() -> None:
    diagnosis = diagnose(subject("y-unbiased"), budget=100.0)
    assert diagnosis is not None
    assert diagnosis.deviations == ()
    assert diagnosis.message.startswith("The search for what explains it ended at its limit of work: ")


@pytest.mark.slow
def test_a_diagnosis_says_the_same_on_a_machine_that_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    calm = told(subject("gamma-absolute", "running-var-biased"))
    clock = iter(range(0, 10**9, 1000))
    monkeypatch.setattr(time, "process_time", lambda: float(next(clock)))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    assert told(subject("gamma-absolute", "running-var-biased")) == calm


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
@pytest.mark.parametrize("name", [*list(catalogue())[::32], "raw-sums"])
def test_a_diagnosis_is_never_a_wrong_one(name: str) -> None:
    """A sample; `python -m tests.measure.diagnosed` goes through all.

    What rounds otherwise than its like is not told from it by the luck of one more case.
    """
    assert examine(name).verdict != "wrong"
