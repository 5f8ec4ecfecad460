"""A worker process and its channel: what crashes or hangs in it is said, and the process is ended."""

from __future__ import annotations

import itertools
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from bn_conformance.hosting.host import HostLost
from bn_conformance.hosting.wire import PIECE, Line, WireError, encode, from_line, read_line
from bn_conformance.results.outcomes import CRASHED, TIMED_OUT

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "",
}
"""Set in every worker: one thread, since thread counts change bits, and bytecode, without which imports take double."""

START_LIMIT = 180.0
"""Seconds that starting a process and loading an adapter may take."""

TAIL = 600
"""Characters of standard error that are shown when a process is lost."""


class Process:
    """A worker process and its channel.

    Args:
        environment: environment variables of the implementation.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bn_conformance.hosting.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=os.environ | ONE_THREAD | dict(environment),
            start_new_session=True,
        )
        self._answers: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.layers = itertools.count(1)
        """Numbers of layers, for all adapters of this process."""

    def _read(self) -> None:
        assert self._process.stdout is not None
        while (line := read_line(self._process.stdout)).text:
            self._answers.put(line)
        self._answers.put(line)

    def ask(self, requests: Sequence[dict[str, Any]], limit: float) -> list[dict[str, Any]]:
        """Send requests and wait for their answers, each of which may take `limit` seconds.

        Raises:
            HostLost: the process ended or did not answer in time; it is gone then.
        """
        try:
            self._send(requests)
            return [self._answer(request["op"], limit) for request in requests]
        except BaseException:  # an answer that nobody waits for must not become that of the next request
            self.close()
            raise

    def _send(self, requests: Sequence[dict[str, Any]]) -> None:
        assert self._process.stdin is not None
        try:
            for some in _joined(
                itertools.chain.from_iterable(itertools.chain(encode(request), (b"\n",)) for request in requests)
            ):
                self._process.stdin.write(some)
            self._process.stdin.flush()
        except OSError:
            raise self._lost() from None

    def _answer(self, operation: str, limit: float) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=limit)
        except queue.Empty:
            message = f"{operation} did not answer within {limit:g} s; raise the limit with --timeout"
            raise HostLost(TIMED_OUT, message) from None
        if not line.text:
            raise self._lost()
        try:
            return from_line(line)
        except WireError as error:
            raise HostLost(CRASHED, f"the worker broke the protocol: {error}") from None

    def _lost(self) -> HostLost:
        try:
            code = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            code = None
        how = "ended" if code is None else f"exited with status {code}"
        if code is not None and code < 0:
            try:
                how = f"was killed by {signal.Signals(-code).name}"
            except ValueError:
                how = f"was killed by signal {-code}"
        tail = " ".join(self.error_tail().split())
        self.close()
        return HostLost(CRASHED, f"the process {how}" + (f"; it last wrote: {tail}" if tail else ""))

    def error_tail(self) -> str:
        """The end of what the process wrote to standard error (and to standard output)."""
        try:
            size = self._errors.seek(0, os.SEEK_END)
            self._errors.seek(max(0, size - TAIL))
            return self._errors.read().decode("utf-8", "replace").strip()
        except ValueError:
            return ""

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process and everything it started."""
        if self.alive:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces put together until they are as many bytes as are encoded at a time: writing a piece costs more than that.

    Long arrays come in pieces of that size, so that their text is never whole in memory.
    """
    some, size = list[bytes](), 0
    for piece in pieces:
        some.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield b"".join(some)
            some, size = [], 0
    yield b"".join(some)
