"""Where nothing but the matrix reads pytest's reports, an item has one, and its record is the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.command_line import CRASHING, GOOD, WRONG, called, run, write

from bn_conformance.matrix.runner import Runner
from bn_conformance.results.file import read_results
from bn_conformance.results.records import Item

ONE = "fwd/nc/float32/eps-default"
ADAPTERS = {"good": GOOD, "wrong": WRONG, "crashing": CRASHING}


def untimed(items: tuple[Item, ...]) -> list[Item]:
    return [replace(item, seconds=0.0, harness_seconds=0.0) for item in sorted(items, key=lambda item: item.id)]


@pytest.mark.slow
def test_records_are_those_of_a_run_whose_reports_are_read(tmp_path: Path) -> None:
    files = [part for name, text in ADAPTERS.items() for part in ("-i", write(tmp_path, f"{name}.py", text))]
    found = []
    for processes, own in (("0", ()), ("2", ()), ("0", ("--", "-o", "console_output_style=classic"))):
        done, results = run(tmp_path, "-n", processes, *files, "--case", ONE, "--case", "grad/nc/float32/r*", *own)
        assert done.returncode == 1, done.stdout + done.stderr
        found.append(untimed(results.items))
        (tmp_path / "out.jsonl").unlink()
    assert found[1:] == found[:1] * 2


@pytest.mark.parametrize(("own", "count"), [((), 1), (("--", "--junitxml=found.xml"), 3)])
def test_set_up_and_teardown_are_reported_where_somebody_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: tuple[str, ...], count: int
) -> None:
    made, make = list[object](), pytest.TestReport.__init__

    def noted(report: pytest.TestReport, *arguments: Any, **named: Any) -> None:
        made.append(report)
        make(report, *arguments, **named)

    monkeypatch.setattr(pytest.TestReport, "__init__", noted)
    good = write(tmp_path, "good.py", GOOD)
    called(tmp_path, "run", "-n", "0", "-i", good, "--case", ONE, "--results", "out.jsonl", *own)
    assert len(made) == count


def test_an_error_of_the_suite_itself_is_the_message_of_its_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Item:
        raise ArithmeticError("the judge divided by zero")

    monkeypatch.setattr(Runner, "run", fails)
    good = write(tmp_path, "good.py", GOOD)
    called(tmp_path, "run", "-n", "0", "-i", good, "--case", ONE, "--results", "out.jsonl")
    (item,) = read_results(tmp_path / "out.jsonl").items
    assert (item.outcome, item.verdict) == ("crashed", "fail")
    assert "the judge divided by zero" in item.message
