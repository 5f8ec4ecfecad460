"""Ending a process with everything that it started, within a time limit.

A worker leads a session of its own, so that one signal reaches its whole process group. What has left the group is
found on Linux, in /proc: processes of its session, their descendants, and whatever carries the worker's mark in its
environment, which processes inherit. A process that has left the group and the session, lost its parent and cleared its
environment cannot be found.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MARK = "BNCONFORM_WORKER"
"""The environment variable that a worker and its descendants carry; its value is the worker's own."""

_PROC = Path("/proc")


def new_mark() -> str:
    """A mark that no other worker has. All marks are of one length, so that one can take the place of another."""
    return secrets.token_hex(16)


@dataclass(frozen=True)
class Running:
    """A process that runs, as /proc shows it."""

    pid: int
    name: str
    parent: int
    group: int
    session: int
    start: int
    marks: frozenset[bytes]


def exit_of(child: int) -> int | None:
    """How a child ended: its exit status, or its signal below zero; None while it runs.

    The child is not waited for, so that its number stays its own.
    """
    result = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if result is None:
        return None
    return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status


def end_tree(leader: int, mark: str, limit: float, spared: int | None = None) -> list[str]:
    """Kill a worker, its group, its session and their descendants, again and again until none is left.

    Args:
        leader: the worker; it must not have been waited for, so that its number is still its own.
        mark: the value of its mark.
        limit: seconds after which what is left is given up.
        spared: a process of the tree that is left alone, in a group of its own.

    Returns:
        What could not be ended, as `123 (python)`; always empty where there is no /proc.
    """
    deadline = time.monotonic() + limit
    tree = tree_of(leader, mark)
    while True:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, signal.SIGKILL)
        for process in tree:
            if process.pid != spared:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(process.pid, signal.SIGKILL)
        # Those that were found stay known: the end of a parent hides where they come from.
        tree = tree_of(leader, mark, known=tree)
        remaining = [process for process in tree if process.pid != spared]
        if not remaining or time.monotonic() > deadline:
            return [f"{process.pid} ({process.name})" for process in remaining]
        time.sleep(0.01)


def tree_of(leader: int, mark: str, known: Collection[Running] = ()) -> list[Running]:
    """The processes of a worker that run, itself included; none where there is no /proc.

    Args:
        leader: the worker.
        mark: the value of its mark.
        known: processes that are of the tree, if they still run.
    """
    carried, before = f"{MARK}={mark}".encode(), {(process.pid, process.start) for process in known}
    running = _running()
    own = {
        process.pid
        for process in running
        if leader in (process.pid, process.group, process.session)
        or carried in process.marks
        or (process.pid, process.start) in before
    }
    while more := {process.pid for process in running if process.parent in own} - own:
        own |= more
    return [process for process in running if process.pid in own]


def _running() -> list[Running]:
    if not _PROC.is_dir():
        return []
    processes = (_read(int(entry.name)) for entry in _PROC.iterdir() if entry.name.isdigit())
    return [process for process in processes if process is not None]


def _read(pid: int) -> Running | None:
    """What /proc says of a process of this user; None where it is gone, another user's, or a zombie."""
    folder = _PROC / str(pid)
    try:
        if folder.stat().st_uid != os.getuid():
            return None
        name, _, rest = (folder / "stat").read_text(errors="replace").partition("(")[2].rpartition(")")
        entries = rest.split()
        state, parent, group, session, start = (entries[place] for place in (0, 1, 2, 3, 19))
        if state in "ZX":
            return None
        environment = (folder / "environ").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    marks = frozenset(entry for entry in environment if entry.startswith(MARK.encode()))
    return Running(pid, name, int(parent), int(group), int(session), int(start), marks)
