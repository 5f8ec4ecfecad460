"""A worker ends with who asks it, and ends nothing but its own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

KILLED_EARLY = """
import os, signal, sys, time
from pathlib import Path
from bn_conformance.hosting import process_tree, worker

def stand_between(status, original=worker._stand_between):
    parent, result = os.getpid(), original(status)
    os.kill(parent, signal.SIGKILL)
    while os.getppid() == parent:
        time.sleep(0.01)
    return result

worker._stand_between = stand_between
process_tree.end_tree = lambda leader, *rest, **more: Path(sys.argv[1]).write_text(str(leader))
worker.main()
"""
"""A worker whose parent is killed before anything else; what it would end with itself goes to a file."""


def test_a_worker_whose_parent_is_killed_at_once_ends_nothing_of_others(tmp_path: Path) -> None:
    file = tmp_path / "leader"
    started = subprocess.Popen(
        [sys.executable, "-c", KILLED_EARLY, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    started.communicate(timeout=20)
    deadline = time.monotonic() + 10.0
    while not (file.exists() and file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert file.read_text() == str(started.pid)
