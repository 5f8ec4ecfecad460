"""What a layer sends, writes, raises or takes without measure costs its own item, in a line, and soon."""

from __future__ import annotations

import re
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.good_numpy import EVERYTHING

from bn_conformance.catalogue import all_cases
from bn_conformance.hosting import watch
from bn_conformance.hosting.host import LayerError
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.runner import Runner
from bn_conformance.options import RunOptions
from bn_conformance.results.records import Item

ROOT = Path(__file__).parents[3]
CASE = "layout/nc/float32/all"
SOON = 15.0
"""Seconds, on a busy machine."""

MOST_KEPT = 700
"""MiB that the judging process may have held at any time: no answer was kept that had no limit."""


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        made = Runner(Plan(RunOptions(timeout=60.0), (), (), ()))
        yield made
        made.close()


def run(runner: Runner, name: str, case: str = CASE, module: str = "excess") -> Item:
    target = f"tests.support.{module}:{name}"
    made = Implementation(name=name, target=target, capabilities=EVERYTHING, framework="excess")
    return runner.run(made, all_cases()[case])


def said(item: Item) -> list[str]:
    return [item.message, *(quantity.message for quantity in item.quantities)]


def assert_unharmed(runner: Runner) -> None:
    item = run(runner, "Own")
    assert item.verdict == "pass", item.message


SENT = {
    "SendsATerabyte": "an array says that it has 1,000,000,000,000 bytes, where a line has at most 67,",
    "SendsATerabyteInOtherWords": "an array says that it has 1,000,000,000,000 bytes, where a line has at most 67,",
    "SendsAShapeOfManyAxes": "an array says that it has far more bytes, where a line has at most 67,",
    "SendsALineWithoutEnd": "a line is longer than 67,",
    "SendsTextWithoutEnd": "a line is longer than 67,",
    "SendsDeepLists": "a line is not JSON (maximum recursion depth",
    "SendsDeepObjects": "a line is not JSON (maximum recursion depth",
    "SendsALongInteger": "a line is not JSON (Exceeds the limit",
    "SendsAHugeShape": "an array is malformed",
    "SendsAShapeOfTexts": "shape ['8', '5'] is not of the protocol",
    "SendsALongKey": "lacks input_modified",
    "SendsNothingInParticular": "a line is not JSON",
    "AnswersTwice": "the worker broke the protocol",
}


def peak() -> int:
    """The most memory that this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


@pytest.mark.parametrize("name", SENT)
def test_an_answer_without_measure_costs_its_own_item_alone(runner: Runner, name: str) -> None:
    start, held = time.monotonic(), peak()
    item = run(runner, name)
    assert (item.outcome, item.verdict) == ("crashed", "fail")
    assert item.message.startswith("the worker broke the protocol: ")
    assert SENT[name] in item.message
    assert len(item.message) < 1000
    assert time.monotonic() - start < SOON
    assert peak() - held < MOST_KEPT
    assert_unharmed(runner)


EMPTY_TEXT = "supports raised ValueError: supports returned an empty text; expected None or the reason"
NO_TEXT = "supports raised TypeError: supports returned {}; expected None or a text"

RAISED = {
    "RaisesALongMessage": "forward raised ValueError: far too much far too much",
    "RaisesALongName": "forward raised LongLongLong",
    "GivesGradientsWithoutEnd": "backward returned an object of type repeat; expected Gradients",
    "GivesStatisticsWithoutEnd": "running_statistics returned an object of type generator; expected a mean",
    "SupportsNothingInWords": EMPTY_TEXT,
    "SupportsBlanks": EMPTY_TEXT,
    "SupportsFalse": NO_TEXT.format("an object of type bool"),
    "SupportsAnArray": NO_TEXT.format("an array of dtype float64"),
}


@pytest.mark.parametrize("name", RAISED)
def test_what_is_raised_or_returned_without_measure_is_an_error_in_a_line(runner: Runner, name: str) -> None:
    item = run(runner, name)
    assert (item.outcome, item.verdict) == ("errored", "fail"), item
    assert RAISED[name] in item.message
    assert len(item.message) < 2500
    assert "\n" not in item.message
    assert_unharmed(runner)


def test_an_error_that_a_worker_reports_is_cut() -> None:
    error = LayerError("forward", "T" * 1_000_000, "m " * 1_000_000)
    assert len(str(error)) < 2500


CLASSES = {
    "MaskedOutput": "step0.y is a numpy.ma.MaskedArray, a subclass of numpy.ndarray; expected an array",
    "MatrixOutput": "step0.y is a numpy.matrix, a subclass of numpy.ndarray; expected an array",
    "OddOutput": "step0.y is a tests.support.excess.Odd, a subclass of numpy.ndarray; expected an array",
    "RecordOutput": "step0.y is a numpy.rec.recarray, a subclass of numpy.ndarray; expected an array",
    "MaskedGradients": "step0.dgamma is a numpy.ma.MaskedArray, a subclass of numpy.ndarray; expected an array",
    "OddGradients": "step0.dx is a tests.support.excess.Odd, a subclass of numpy.ndarray; expected an array",
    "MaskedStatistics": "running_mean is a numpy.ma.MaskedArray, a subclass of numpy.ndarray; expected an array",
    "GivesADtypeOfManyFields": "step0.y is an array of dtype [('field_0', '<f4'), ('field_1', '<f4')",
}


@pytest.mark.parametrize("name", CLASSES)
def test_arrays_of_another_class_are_named_and_wrong(runner: Runner, name: str) -> None:
    item = run(runner, name)
    assert (item.outcome, item.verdict) == ("wrong", "fail"), item.message
    assert any(CLASSES[name] in message for message in said(item)), said(item)
    assert all(len(message) < 600 for message in said(item))
    assert_unharmed(runner)


def test_a_state_of_another_class_is_an_error(runner: Runner) -> None:
    item = run(runner, "MatrixState", "state/nc/float32/save-and-load")
    assert item.outcome == "errored"
    assert "is a numpy.matrix, a subclass of numpy.ndarray; expected an array" in item.message


def test_output_without_measure_is_cut_and_nobody_is_the_worse_for_it(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MOST_OUTPUT", 1 << 20)
    assert run(runner, "WritesWithoutMeasure").verdict == "pass"
    item = run(runner, "WritesThenEnds")
    assert (item.outcome, item.verdict) == ("crashed", "fail")
    assert item.message.endswith("the last word")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["TakesAllMemory", "TakesAllMemoryInAChild"])
def test_a_worker_that_takes_the_last_memory_is_ended_and_named(
    runner: Runner, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    total = 8 << 30
    monkeypatch.setattr(watch, "memory_left", lambda: (total // 64, total))
    monkeypatch.setattr(watch, "MUCH", 1 / 16)
    start = time.monotonic()
    item = run(runner, name, module="memory_takers")
    assert (item.outcome, item.verdict) == ("crashed", "fail")
    assert re.search(r"the process was ended: it held 0\.\d GiB of memory, and 0\.1 of 8\.0 were left", item.message)
    assert time.monotonic() - start < SOON
    monkeypatch.undo()
    assert_unharmed(runner)


def test_the_memory_of_this_machine_is_known() -> None:
    memory = watch.memory_left()
    assert memory is not None
    assert 0 < memory[0] <= memory[1]
    assert watch.held_by(0) == 0
