"""A case is begun while the one before it is judged, and whatever it does is said of it alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.good_numpy import EVERYTHING
from tests.support.hostile_later import BUILT

from bn_conformance.catalogue import all_cases
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.judging import item as judging
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.runner import Runner
from bn_conformance.options import RunOptions
from bn_conformance.results.records import Item

ROOT = Path(__file__).parents[3]
FIRST, SECOND = (all_cases()[f"fwd/nchw/{dtype}/random"] for dtype in ("float32", "float64"))
OTHER = all_cases()["fwd/nc/float32/eps-default"]

Start = Callable[[], Runner]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    runners: list[Runner] = []

    def started() -> Runner:
        runners.append(Runner(Plan(RunOptions(timeout=2.0), (), (), ())))
        return runners[-1]

    yield started
    for runner in runners:
        runner.close()


def implementation(name: str) -> Implementation:
    return Implementation(name=name, target=f"tests.support.hostile_later:{name}", capabilities=EVERYTHING)


def untimed(item: Item) -> Item:
    return replace(item, seconds=0.0, harness_seconds=0.0)


OUTCOMES = {
    "Plain": "exact tight",
    "RaisesInSupports": "errored",
    "ExitsInSupports": "crashed",
    "Declines": "unsupported",
    "RaisesInForward": "errored",
    "Exits": "crashed",
    "Segfaults": "crashed",
    "Hangs": "timed-out",
    "WritesOverItsChannel": "crashed",
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_items_are_those_of_cases_that_are_begun_one_after_the_other(start: Start, name: str) -> None:
    subject = implementation(name)
    ahead, in_turn = start(), start()
    begun = [ahead.run(subject, FIRST, following=SECOND), ahead.run(subject, SECOND, OTHER), ahead.run(subject, OTHER)]
    alone = [in_turn.run(subject, case) for case in (FIRST, SECOND, OTHER)]
    assert [*map(untimed, begun)] == [*map(untimed, alone)]
    assert [item.verdict for item in begun[::2]] == ["pass", "pass"]
    assert begun[1].outcome in OUTCOMES[name].split()
    assert all(item.harness_seconds >= 0 for item in begun)


def test_the_layer_of_the_next_case_runs_while_one_is_judged(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, judge, seen = tmp_path / "built", judging.judge_runs, list[bool]()
    monkeypatch.setenv(BUILT, str(file))

    def judged_slowly(*arguments: Any) -> Item:
        deadline = time.monotonic() + 10.0
        while not file.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        seen.append(file.exists())
        return judge(*arguments)

    monkeypatch.setattr(judging, "judge_runs", judged_slowly)
    start().run(implementation("Plain"), FIRST, following=SECOND)
    assert seen == [True]


def test_a_case_that_comes_instead_of_the_one_begun_is_judged_all_the_same(start: Start) -> None:
    runner, subject = start(), implementation("Hangs")
    runner.run(subject, FIRST, following=SECOND)
    assert runner.run(subject, OTHER).verdict == "pass"
    runner.run(subject, FIRST, following=SECOND)
    assert runner.observe(subject, OTHER) is not None
