"""What a run hands on to the command that goes on with it: the results as they are in the file."""

from __future__ import annotations

from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.command_line import ROOT, WRONG, write

from bn_conformance.commands.run import run
from bn_conformance.options import RunOptions
from bn_conformance.results.file import read_results


def test_a_run_gives_the_results_that_its_file_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    write(tmp_path, "wrong.py", WRONG)
    with chdir(tmp_path):
        ran = run(RunOptions(implementations=("wrong.py",), cases=("eval/nc/*",), results="out.jsonl"), "0")
        written = read_results("out.jsonl")
    assert ran.exit_code == 1
    assert ran.results is not None
    assert replace(ran.results, header=written.header) == written
    assert ran.results.diagnoses


def test_a_run_of_nothing_gives_no_results(tmp_path: Path) -> None:
    with chdir(tmp_path):
        ran = run(RunOptions(implementations=("none.py",)), "0")
    assert ran.exit_code == 2
    assert ran.results is None
