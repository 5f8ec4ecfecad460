"""A command about one implementation keeps its process for what it does next, unless it was lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bn_conformance.hosting.isolated import IsolatedHost
from bn_conformance.hosting.kept import kept_cache, kept_processes, leave, process_for
from bn_conformance.hosting.process import Process

ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parents[3])}


@pytest.fixture
def kept() -> Iterator[None]:
    with kept_processes():
        yield


def state_of(process: Process) -> str:
    """The letter that the system has for what a process does; empty where there is none."""
    try:
        return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def answers(process: Process) -> bool:
    return IsolatedHost(process, "tests.support.good_numpy:GoodNumpy").description.name == "good.numpy"


@pytest.mark.usefixtures("kept")
def test_a_process_that_is_left_is_stopped_and_taken_again() -> None:
    first = process_for(ENVIRONMENT)
    assert answers(first)
    leave(first)
    os.waitid(os.P_PID, first.pid, os.WSTOPPED | os.WNOWAIT)
    assert state_of(first) == "T"
    assert process_for(ENVIRONMENT) is first
    assert answers(first)
    leave(first)


@pytest.mark.usefixtures("kept")
def test_a_process_is_given_to_one_at_a_time_and_for_its_environment_alone() -> None:
    first, second = process_for(ENVIRONMENT), process_for(ENVIRONMENT)
    leave(first)
    other = process_for({**ENVIRONMENT, "ANOTHER": "1"})
    assert len({first.pid, second.pid, other.pid}) == 3
    leave(second)
    leave(other)


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("killed_while_it_waits", [False, True])
def test_a_process_that_was_lost_is_replaced(killed_while_it_waits: bool) -> None:
    first = process_for(ENVIRONMENT)
    if killed_while_it_waits:
        leave(first)
    os.kill(first.pid, signal.SIGKILL)
    os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)
    if not killed_while_it_waits:
        leave(first)
    second = process_for(ENVIRONMENT)
    assert second is not first
    assert answers(second)
    leave(second)


def test_none_outlives_the_block_and_outside_none_is_kept() -> None:
    with kept_processes():
        inside = process_for(ENVIRONMENT)
        leave(inside)
    outside = process_for(ENVIRONMENT)
    leave(outside)
    assert [state_of(process) for process in (inside, outside)] == ["", ""]


def test_kept_processes_share_a_cache_that_goes_with_them() -> None:
    with kept_processes():
        folder = Path(kept_cache())
        with kept_processes():
            assert kept_cache() == str(folder)
        (folder / "compiled").touch()
    assert kept_cache() == ""
    assert not folder.exists()
