"""The worker that is started before anybody needs it: who needs one first takes it, and none is left."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from bn_conformance.hosting import spawn
from bn_conformance.hosting.process import Process
from bn_conformance.hosting.spawn import Spawned, early_worker

EARLY = """
import subprocess, sys
import bn_conformance.cli

def started(*arguments, **named):
    print("numpy" in sys.modules, arguments[0][-1])
    raise SystemExit(7)

subprocess.Popen = started
bn_conformance.cli.main(["check", *sys.argv[1:]])
"""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Spawned]:
    """The workers that are started."""
    found, real = list[Spawned](), spawn._spawn  # noqa: SLF001

    def noted(environment: dict[str, str]) -> Spawned:
        found.append(real(environment))
        return found[-1]

    monkeypatch.setattr(spawn, "_spawn", noted)
    return found


def test_who_needs_a_worker_first_takes_the_early_one_and_another_starts_its_own(started: list[Spawned]) -> None:
    with early_worker():
        first, second = Process({}), Process({})
    assert [worker.process.pid for worker in started] == [first.pid, second.pid]
    first.close()
    second.close()


def test_variables_need_a_worker_that_has_them_and_the_early_one_is_ended(started: list[Spawned]) -> None:
    with early_worker():
        other = Process({"KERAS_BACKEND": "numpy"})
        assert len(started) == 2
        os.kill(started[0].process.pid, 0)
    assert started[0].process.returncode is not None
    os.kill(other.pid, 0)
    other.close()
    Process({}).close()
    assert len(started) == 3


@pytest.mark.parametrize(
    ("arguments", "early"), [(["mine.py:Mine"], True), (["--as", "torch-module", "mine.py"], False)]
)
def test_a_check_starts_its_worker_before_it_imports_numpy_unless_its_kind_may_need_variables(
    arguments: list[str], early: bool
) -> None:
    done = subprocess.run([sys.executable, "-c", EARLY, *arguments], capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"{not early} bn_conformance.hosting.worker"), done.stdout + done.stderr
