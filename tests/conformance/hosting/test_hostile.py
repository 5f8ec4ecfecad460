"""Whatever an adapter does, its own item says so in a line, and the next adapter is judged as if nothing had been."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.good_numpy import EVERYTHING

from bn_conformance.catalogue import all_cases
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.runner import MOST_LOSSES, Runner
from bn_conformance.options import RunOptions
from bn_conformance.results.records import Item

ROOT = Path(__file__).parents[3]
CASE = "layout/nc/float32/all"
"""Training and inference, forward and backward, everything judged."""


def implementation(name: str) -> Implementation:
    target = f"tests.support.hostile:{name}"
    return Implementation(name=name, target=target, capabilities=EVERYTHING, framework="hostile")


def runner_with(timeout: float) -> Runner:
    return Runner(Plan(RunOptions(timeout=timeout), (), (), ()))


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """One runner for all: its adapters share a process, which the crashing ones take down."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        made = runner_with(20.0)
        yield made
        made.close()


def run(runner: Runner, name: str, case: str = CASE) -> Item:
    return runner.run(implementation(name), all_cases()[case])


def assert_unharmed(runner: Runner) -> None:
    item = run(runner, "Plain")
    assert (item.outcome, item.verdict) in {("exact", "pass"), ("tight", "pass")}, item.message


MISBEHAVIOURS = {
    "RaisesInBuild": ("errored", "build raised RuntimeError: no such kernel"),
    "RaisesInSupports": ("errored", "supports raised RuntimeError: cannot say"),
    "RaisesInForward": ("errored", "forward raised ValueError: forward is"),
    "RaisesInBackward": ("errored", "backward raised NotImplementedError: no gradient yet"),
    "RaisesWithoutWords": ("errored", "forward raised AssertionError"),
    "RaisesSystemExit": ("crashed", "exited with status 7"),
    "Exits": ("crashed", "exited with status 5"),
    "Segfaults": ("crashed", "was killed by SIGSEGV"),
    "GivesNone": ("wrong", "step0.y is None; expected an array of shape (8, 5) and dtype float32"),
    "GivesAList": ("wrong", "step0.y is an object of type list; expected an array"),
    "GivesObjects": ("wrong", "step0.y is an array of dtype object; expected an array"),
    "GivesComplex": ("wrong", "step0.y is an array of dtype complex64; expected an array"),
    "GivesAnotherShape": ("wrong", "step0.y has shape (40,); expected (8, 5)"),
    "GivesAnotherDtype": ("wrong", "step0.y has dtype float64; expected float32"),
    "GivesNan": ("wrong", ""),
    "GivesTwoGradients": ("errored", "backward returned an object of type tuple; expected Gradients"),
    "GivesNoGradients": ("errored", "backward returned None; expected Gradients"),
    "GivesOneStatistic": ("errored", "running_statistics returned an object of type tuple; expected a mean"),
    "GivesNoStatistics": ("wrong", "is None; expected an array of shape (5,)"),
    "GivesStatisticsOfAnotherShape": ("wrong", "has shape (5, 1); expected (5,)"),
    "ModifiesItsInput": ("wrong", "forward modified its input"),
    "GivesAViewOfItsInput": ("wrong", "y shares memory with x"),
    "OverwritesItsResult": ("wrong", "changed in memory after the call was over: y of forward 1, y of forward 2"),
}


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_misbehaviour_is_named_in_a_line_and_harms_nobody_else(runner: Runner, name: str) -> None:
    outcome, words = MISBEHAVIOURS[name]
    item = run(runner, name)
    assert item.outcome == outcome, item.message
    assert item.verdict == "fail"
    said = [item.message, *(quantity.message for quantity in item.quantities)]
    assert any(words in message for message in said), said
    assert not any("\n" in message for message in said), said
    assert_unharmed(runner)


@pytest.mark.parametrize("name", ["GivesReadOnly", "GivesStrided", "GivesBigEndian", "Prints"])
def test_what_is_unusual_but_right_passes(runner: Runner, name: str) -> None:
    item = run(runner, name)
    assert item.verdict == "pass", item


def test_a_crash_shows_what_was_last_written_to_standard_error(runner: Runner) -> None:
    assert "it last wrote: " in (message := run(runner, "Segfaults").message)
    assert "kernel panic in tile 3" in message


@pytest.mark.slow
@pytest.mark.parametrize("disposition", [signal.SIG_IGN, signal.SIG_DFL])
def test_an_interrupt_ends_a_worker_whatever_who_started_it_does_with_one(
    monkeypatch: pytest.MonkeyPatch, disposition: signal.Handlers
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    own, before = runner_with(20.0), signal.signal(signal.SIGINT, disposition)
    try:
        item = run(own, "InterruptsItself")
    finally:
        signal.signal(signal.SIGINT, before)
        own.close()
    assert item.outcome == "crashed"
    assert "was killed by SIGINT" in item.message


@pytest.mark.slow
def test_a_claimed_capability_that_is_not_there_is_an_error(runner: Runner) -> None:
    item = run(runner, "ClaimsFreeze", "state/nc/float32/freeze")
    assert item.outcome == "errored"
    assert "freeze raised NotImplementedError" in item.message


def test_claimed_threads_that_are_not_there_are_an_error(runner: Runner) -> None:
    item = run(runner, "ClaimsThreads", "pure/nchw/float32/threads-2")
    assert item.outcome == "errored"
    assert "set_threads raised NotImplementedError" in item.message
    assert_unharmed(runner)


@pytest.mark.slow
def test_a_layer_that_raises_beside_another_is_named_and_stops_both(runner: Runner) -> None:
    item = run(runner, "RaisesBesideAnother", "pure/nc/float32/concurrent")
    assert item.outcome == "errored"
    assert "concurrently raised RuntimeError: this kernel is not reentrant" in item.message
    assert_unharmed(runner)


@pytest.mark.slow
def test_a_deadlock_of_two_layers_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    runner = runner_with(1.0)
    item = run(runner, "HangsBesideAnother", "pure/nc/float32/concurrent")
    assert item.outcome == "timed-out"
    assert "concurrently did not answer within 1 s" in item.message
    runner.close()


def test_a_state_that_no_array_can_hold_is_an_error(runner: Runner) -> None:
    item = run(runner, "SavesObjects", "state/nc/float32/save-and-load")
    assert item.outcome == "errored"
    assert "state()['note'] is an object of type object; expected an array" in item.message


def test_an_error_without_words_is_no_refusal(runner: Runner) -> None:
    refusal = "err/nc/float32/channels-training"
    item = run(runner, "RaisesWithoutWords", refusal)
    assert (item.outcome, item.verdict) == ("errored", "fail")
    assert run(runner, "RaisesInForward", refusal).outcome == "refused"


def test_accepting_bad_input_is_wrong(runner: Runner) -> None:
    item = run(runner, "AcceptsAnything", "err/nc/float32/channels-training")
    assert item.outcome == "wrong"
    assert "accepted without an error" in item.message


def test_a_class_that_is_not_there_is_an_error_and_harms_nobody_else(runner: Runner) -> None:
    item = run(runner, "NoSuchClass")
    assert item.outcome == "errored"
    assert "has no NoSuchClass" in item.message
    assert_unharmed(runner)


def test_a_hang_is_ended_and_given_up_after_some_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    runner = runner_with(0.4)
    items = [run(runner, "Hangs") for _ in range(MOST_LOSSES + 1)]
    assert {item.outcome for item in items} == {"timed-out"}
    assert "forward did not answer within 0.4 s" in items[0].message
    assert f"not tried: given up after {MOST_LOSSES} losses in a row" in items[-1].message
    runner.close()
