"""An error that every plain case ends in is found before the run; whatever gives a result is judged."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.command_line import GOOD, ROOT, called, write

from bn_conformance.implementations.implementation import BROKEN, OK, Implementation
from bn_conformance.matrix.plan import Plan, make_plan
from bn_conformance.matrix.preflight import preflight
from bn_conformance.matrix.runner import Runner
from bn_conformance.matrix.sample import LONGEST_PLAIN, classes_of
from bn_conformance.options import RunOptions
from bn_conformance.results.file import read_results

NO_WEIGHT = """
from tests.support.good_numpy import GoodLayer, GoodNumpy

class Layer(GoodLayer):
    def set_parameters(self, gamma, beta):
        self.weight[:] = gamma

class Mine(GoodNumpy):
    name, layer = "mine", Layer
"""
NO_TRAINING = NO_WEIGHT.replace("set_parameters(self, gamma, beta)", "backward(self, dy)")
ALL, FEW = "*/nc/float32/*", "fwd/nc/float32/*"


@pytest.fixture(autouse=True)
def adapters_may_import_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def after_preflight(folder: Path, text: str, cases: str) -> Implementation:
    target = str(folder / write(folder, "mine.py", text))
    plan = make_plan(RunOptions(implementations=(target,), cases=(cases,), in_process=True))
    return preflight(plan).plan.implementations[0]


def test_an_error_in_every_plain_case_is_said_with_its_place(tmp_path: Path) -> None:
    tried = after_preflight(tmp_path, NO_WEIGHT, ALL)
    assert tried.status == BROKEN
    assert "'Layer' object has no attribute 'weight' (mine.py, line 6)" in tried.message
    assert "fwd/nc/float32/random" in tried.message


@pytest.mark.parametrize(
    ("text", "cases"), [(GOOD, ALL), (NO_TRAINING, ALL), (NO_WEIGHT, FEW)], ids=["right", "a-part-works", "few-cases"]
)
def test_what_gives_some_result_or_was_selected_is_judged(tmp_path: Path, text: str, cases: str) -> None:
    assert after_preflight(tmp_path, text, cases).status == OK


DECLINING = f"""{GOOD}
    def supports(self, config):
        return "not so many" if config.num_channels > 8 and config.num_channels % 2 else None
"""


def checked(folder: Path, text: str) -> tuple[Plan, Plan]:
    """The plan of a check before its first try, and after it."""
    target = str(folder / write(folder, "mine.py", text))
    plan = make_plan(RunOptions(implementations=(target,), plain_first=True, in_process=True))
    return plan, preflight(plan).plan


def test_for_what_an_adapter_declines_of_the_sample_others_of_its_classes_are_asked(tmp_path: Path) -> None:
    before, after = checked(tmp_path, DECLINING)
    (implementation,), known = before.runnable, (*before.items.values(), *before.beyond_sample.values())
    cases = [case for _, case in known if case.sweep or case.effort <= LONGEST_PLAIN]
    declined = {*Runner(before).declined(implementation, cases)}
    every, first, then = (
        {kind for case in some if case.id not in declined for kind in classes_of(case)}
        for some in (cases, [case for _, case in before.items.values()], [case for _, case in after.items.values()])
    )
    assert first < every
    assert then == every
    assert before.items.keys() < after.items.keys()
    assert after.instead == after.items.keys() - before.items.keys()
    assert not any(case.id in declined for case in cases if f"{implementation.name}::{case.id}" in after.instead)
    assert Plan.from_json(after.to_json()).items.keys() == after.items.keys()


def test_a_sample_of_which_nothing_is_declined_stays_as_it_is(tmp_path: Path) -> None:
    before, after = checked(tmp_path, GOOD)
    assert not after.instead
    assert after.items.keys() == before.items.keys()


WRONG_ONCE = """
from pathlib import Path
from tests.support.good_numpy import GoodLayer, GoodNumpy

class Layer(GoodLayer):
    def forward(self, x, training):
        first, y = Path("first"), super().forward(x, training)
        if first.exists():
            return y
        first.touch()
        return y + 1

class Mine(GoodNumpy):
    name, layer = "mine", Layer
"""


@pytest.mark.parametrize("processes", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_what_was_tried_is_taken_over_and_not_run_again(tmp_path: Path, processes: str) -> None:
    target = write(tmp_path, "mine.py", WRONG_ONCE)
    options = ("-n", processes, "--case", ALL, "--results", "r.jsonl")
    done = called(tmp_path, "check", target, *options)
    assert done.stderr.count("first failure: mine fwd/nc/float32/random") == 1
    items = read_results(tmp_path / "r.jsonl").items
    assert [item.case for item in items if item.verdict == "fail"] == ["fwd/nc/float32/random"]
    assert len({item.case for item in items}) == len(items)


def test_what_was_tried_is_there_for_the_run_and_a_broken_one_is_not(tmp_path: Path) -> None:
    items = {}
    for text in (GOOD, NO_TRAINING, NO_WEIGHT):
        target = str(tmp_path / write(tmp_path, "mine.py", text))
        tried = preflight(make_plan(RunOptions(implementations=(target,), cases=(ALL,), in_process=True)))
        items[text] = [(item.case, item.verdict) for item in tried.items.values()]
    plain = [f"{family}/nc/float32/random" for family in ("fwd", "eval", "grad")]
    assert items[GOOD] == [(case, "pass") for case in plain]
    assert items[NO_TRAINING] == [*zip(plain, ("pass", "pass", "fail"), strict=True)]
    assert items[NO_WEIGHT] == []


def test_a_check_says_it_once_and_judges_nothing(tmp_path: Path) -> None:
    target = write(tmp_path, "mine.py", NO_WEIGHT)
    done = called(tmp_path, "check", target, "-n", "0", "--in-process", "--case", ALL)
    assert done.returncode == 3
    assert done.stdout.count("has no attribute 'weight'") == 1
    assert "mend it first" in done.stdout
    assert "mine is broken" in done.stdout
