"""A command that is told to end says what it judged until then, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.command_line import HEAD, ROOT, WRONG, called, write
from tests.support.processes import children_of, runs, within

from bn_conformance.commands.ending import told_to_end
from bn_conformance.matrix import plugin, recorder
from bn_conformance.results.exit_codes import INTERRUPTED
from bn_conformance.results.file import read_results

HANGING = f"""{HEAD}
import pathlib, time

class Layer(GoodLayer):
    def forward(self, x, training):
        if x.dtype == "float64":
            pathlib.Path("hangs").touch()
            time.sleep(300)
        return super().forward(x, training)

class Hanging(GoodNumpy):
    name, layer = "hanging", Layer
"""
LIKE_CTRL_C = (signal.SIGTERM, signal.SIGHUP)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, *LIKE_CTRL_C])
def test_a_check_that_is_told_to_end_tells_what_it_judged_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    write(tmp_path, "hanging.py", HANGING)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    check = subprocess.Popen(
        [sys.executable, "-m", "bn_conformance", "check", "hanging.py", "-n", "2", "--results", "o.jsonl"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert within(60.0, (tmp_path / "hangs").exists)
        children = children_of(check.pid)
        assert [*temporary.iterdir()]
        check.send_signal(number)
        check.send_signal(number)  # as timeout(1) does
        told, errors = check.communicate(timeout=30)
    finally:
        check.kill()
    assert check.returncode == 128 + number, told + errors
    assert told.splitlines()[-1].startswith("? hanging interrupted: "), told + errors
    assert "Traceback" not in errors
    assert [*temporary.iterdir()] == []
    assert within(6.0, lambda: not any(runs(*child) for child in children.items()))
    results = read_results(tmp_path / "o.jsonl")
    assert results.end is not None
    assert results.end.exit_code == INTERRUPTED
    assert results.items


def test_a_diagnosis_that_is_interrupted_takes_no_verdict_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(recorder, "diagnoses", interrupted)
    write(tmp_path, "wrong.py", WRONG)
    done = called(tmp_path, "run", "-n", "0", "-i", "wrong.py:Wrong", "--case", "fwd/nc/float32/random")
    assert done.returncode == INTERRUPTED
    assert done.stdout.rstrip().endswith("✕ wrong does not conform: 1 of 1 case fails"), done.stdout


@pytest.mark.parametrize("name", ["preflight", "opening_of"])
def test_a_run_that_is_interrupted_before_it_judges_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(plugin, name, interrupted)
    write(tmp_path, "wrong.py", WRONG)
    done = called(tmp_path, "run", "-n", "0", "-i", "wrong.py:Wrong", "--case", "fwd/nc/float32/random")
    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, "", "\nInterrupted.\n")


@pytest.mark.parametrize("number", LIKE_CTRL_C)
def test_within_the_block_a_signal_interrupts_once_and_after_it_is_what_it_was(number: signal.Signals) -> None:
    before = [signal.getsignal(other) for other in LIKE_CTRL_C]
    with told_to_end() as told:
        assert told.exit_code == INTERRUPTED
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        for other in LIKE_CTRL_C:
            signal.raise_signal(other)
        assert told.exit_code == 128 + number
    assert [signal.getsignal(other) for other in LIKE_CTRL_C] == before


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with told_to_end():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
