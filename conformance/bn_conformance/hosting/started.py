"""A worker process as who asks it has it: its number, its pipes, and how it ended.

A worker is a child of the process that asks it, or of a template (`bn_conformance.hosting.template`). Of the latter the
system tells nobody but the template how it ended; so it says that itself, in a pipe.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Protocol

from bn_conformance.hosting.process_tree import exit_of

_LONGEST = 64
"""Bytes of what a process says of itself."""


class WorkerProcess(Protocol):
    """A process that was started."""

    @property
    def pid(self) -> int:
        """Its number, which no other process gets before it is closed."""

    def exit(self) -> int | None:
        """How it ended: its exit status, or its signal below zero; None while it runs."""

    def close(self, limit: float) -> None:
        """Let go of it, once it has ended or a time is over."""


class Child:
    """A child of this process.

    Args:
        process: the child.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its number; it is not waited for before it is closed."""
        return self._process.pid

    def exit(self) -> int | None:
        """How it ended."""
        return exit_of(self.pid)

    def close(self, limit: float) -> None:
        """Wait for it."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(limit)


class Adopted:
    """A process that a template forked.

    Args:
        pid: its number; the template does not wait for it.
        status: the end of a pipe in which it says how it ended; closed where the process is gone.
    """

    def __init__(self, pid: int, status: int) -> None:
        self._pid, self._status, self._code = pid, status, None
        self._end = os.pidfd_open(pid)

    _code: int | None

    @property
    def pid(self) -> int:
        """Its number."""
        return self._pid

    def exit(self) -> int | None:
        """How it ended; where it could not say so, it was killed."""
        if self._code is None and self._ended(0.0):
            said = os.read(self._status, _LONGEST)
            self._code = int(said) if said else -signal.SIGKILL
        return self._code

    def close(self, limit: float) -> None:
        """Wait for its end, and close what shows it."""
        self._ended(limit)
        os.close(self._end)
        os.close(self._status)

    def _ended(self, seconds: float) -> bool:
        return bool(select.select([self._end], [], [], seconds)[0])


@dataclass(frozen=True)
class Started:
    """A worker that was started.

    Attributes:
        process: the process.
        stdin: what it reads.
        stdout: what it writes.
        errors: the file that its standard error goes to.
        mark: what it and all that it starts carry in their environment.
        environment: environment variables of the implementation.
    """

    process: WorkerProcess
    stdin: IO[bytes]
    stdout: IO[bytes]
    errors: IO[bytes]
    mark: str
    environment: Mapping[str, str]
