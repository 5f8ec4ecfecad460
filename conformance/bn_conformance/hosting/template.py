"""The template of a target's workers, as who asks for workers has it: a process that is forked for each.

To import a framework takes a second or more, and each worker of a check would do it again. The template imports what
the target's file imports before anything else in it (`bn_conformance.targets.first_imports`), and runs nothing of the
file itself. So a worker is what it would be as a new process that has made the same imports.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from bn_conformance.hosting.process_tree import MARK, new_mark
from bn_conformance.hosting.started import Adopted

CAN_FORK = sys.platform == "linux"
"""Whether a process may be forked that goes on computing, and be told from what it was forked from."""

START_LIMIT = 180.0
"""Seconds that the template's imports, and a fork, may take; a new process is started then."""


@dataclass(frozen=True)
class Forked:
    """A fork of a template.

    Attributes:
        process: the process.
        stdin: what it reads.
        stdout: what it writes.
        mark: what it and all that it starts carry in their environment.
    """

    process: Adopted
    stdin: IO[bytes]
    stdout: IO[bytes]
    mark: str


class Template:
    """A template, which imports while its caller goes on.

    Attributes:
        environment: environment variables of the implementation.

    Args:
        target: whose file says what is imported.
        environment: environment variables of the implementation.
        variables: all environment variables of the process.
    """

    def __init__(self, target: str, environment: Mapping[str, str], variables: Mapping[str, str]) -> None:
        self.environment, self._owner = dict(environment), os.getpid()
        self._here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "bn_conformance.hosting.template_process",
                    str(self._owner),
                    target,
                    *environment,
                ],
                stdin=there.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**variables, MARK: new_mark()},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its number, by which the system knows it."""
        return self._process.pid

    @property
    def is_own(self) -> bool:
        """Whether this process started it; a fork of this process may use it, too."""
        return os.getpid() == self._owner

    def fork(self, errors: int) -> Forked | None:
        """A worker; None where the template is gone, cannot be forked or takes too long.

        Args:
            errors: descriptor of the file that its standard error goes to.
        """
        mark = new_mark()
        (requests, sink), (source, answers), (said, status) = os.pipe(), os.pipe(), os.pipe()
        try:
            socket.send_fds(self._here, [mark.encode()], [requests, answers, errors, status])
        except OSError:
            number = b""
        else:
            for end in (requests, answers, status):
                os.close(end)
            requests = answers = status = -1
            number = _said_within(START_LIMIT, said)
        if number:
            with suppress(OSError):  # it ended at once, or the system does not show its end
                process = Adopted(int(number), said)
                return Forked(process, open(sink, "wb", 0), open(source, "rb", 0), mark)  # noqa: PTH123
        for end in (requests, sink, source, answers, said, status):
            if end >= 0:
                os.close(end)
        return None

    def close(self) -> None:
        """End it. Workers that were forked from it go on."""
        self._here.close()
        self._process.kill()
        self._process.wait()


def _said_within(seconds: float, descriptor: int) -> bytes:
    """What is written to a pipe first; nothing where it is closed or a time is over before."""
    ready, _, _ = select.select([descriptor], [], [], seconds)
    return os.read(descriptor, 64) if ready else b""
