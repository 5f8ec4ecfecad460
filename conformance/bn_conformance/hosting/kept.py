"""Worker processes that are kept for who needs one next: to import a framework again takes seconds.

A command about one implementation describes it, tries it, judges it, diagnoses it and measures it. Within
`kept_processes` these share a process, one after the other. Outside, and where one was lost, each starts its own.
They share what frameworks compile as well, so that no process compiles what another has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from bn_conformance.hosting.process import Process

_waiting: list[Process] | None = None
"""Processes that wait for work; None where none is kept."""

_cache = ""
"""The folder for what frameworks compile."""


@contextmanager
def kept_processes() -> Iterator[None]:
    """Within the block, processes that are left wait for more work; at its end they are ended, and the cache goes."""
    global _waiting, _cache
    if _waiting is not None:
        yield
        return
    _waiting = []
    with TemporaryDirectory(prefix="bnconform-", ignore_cleanup_errors=True) as _cache:
        try:
            yield
        finally:
            left, _waiting, _cache = _waiting, None, ""
            for process in left:
                process.close()


def kept_cache() -> str:
    """The folder in which processes share what frameworks compile; empty where no process is kept."""
    return _cache


def process_for(environment: Mapping[str, str]) -> Process:
    """A process with the environment variables of an implementation: one that waits, or a new one.

    Who takes it gives it to `leave` in the end.
    """
    for process in _waiting or ():
        if process.environment == environment:
            assert _waiting is not None
            _waiting.remove(process)
            if process.resume():
                return process
            return process_for(environment)
    return Process(environment)


def leave(process: Process) -> None:
    """Let a process wait for more work, stopped, or end it where none is kept or it was lost."""
    if _waiting is not None and process.pause():
        _waiting.append(process)
    else:
        process.close()


def leave_to_parent() -> None:
    """In a forked process: let go of the processes that wait, which the one that it was forked from has."""
    global _waiting
    for process in _waiting or ():
        process.let_go()
    _waiting = None
