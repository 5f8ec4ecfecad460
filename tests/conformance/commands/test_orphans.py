"""However the main process of a run ends, nothing that it started goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.command_line import HEAD, ROOT, write
from tests.support.processes import children_of, runs, within

HANGING = f"""{HEAD}
import pathlib, time

class Layer(GoodLayer):
    def forward(self, x, training):
        pathlib.Path("hangs").touch()
        HANG
        return super().forward(x, training)

class Hanging(GoodNumpy):
    name, layer = "hanging", Layer
"""
ASLEEP = "time.sleep(300)"
HOLDING = "import re; re.match('(a|a)*b', 'a' * 60)"
"""A hang in C that keeps the interpreter's lock."""

RUN = ("run", "-i", "hanging.py", "--case", "fwd/nc/float32/*", "--results", "o.jsonl", "-n")
COMMANDS: dict[str, tuple[tuple[str, ...], str]] = {
    "two judging processes": ((*RUN, "2"), ASLEEP),
    "the main process judges": ((*RUN, "0"), HOLDING),
    "the processes of the power": (("power",), ASLEEP),
}


@pytest.mark.slow
@pytest.mark.parametrize(("command", "hang"), COMMANDS.values(), ids=COMMANDS)
def test_nothing_outlives_a_main_process_that_is_killed(tmp_path: Path, command: tuple[str, ...], hang: str) -> None:
    write(tmp_path, "hanging.py", HANGING.replace("HANG", hang))
    main = subprocess.Popen(
        [sys.executable, "-m", "bn_conformance", *command],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        at_work = (tmp_path / "hangs").exists if "run" in command else lambda: len(children_of(main.pid)) > 2
        assert within(60.0, at_work)
        children = children_of(main.pid)
        assert children
    finally:
        main.kill()
        main.wait(20)
    assert within(6.0, lambda: not any(runs(*child) for child in children.items()))
