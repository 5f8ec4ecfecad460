"""Requests sent and answers read at the same time, with a deadline for every answer.

Neither side can make the other wait for ever: a worker that hangs before it has read a request is as late as one that
hangs before it answers, and a process that has inherited the pipe and keeps it open ends nothing and delays nothing.
"""

from __future__ import annotations

import fcntl
import os
import select
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO

from bn_conformance.hosting.lines import LineBuffer, most_after
from bn_conformance.hosting.process_tree import exit_of
from bn_conformance.hosting.wire import PIECE, Line, WireError

SLOWEST = 1 << 24
"""Bytes that cross in a second at the slowest: an exchange is given that much more time."""

_CHUNK = 1 << 16
_WIDE = 1 << 20
"""Bytes that a pipe shall hold."""

_PIPES = 64
"""Chunks that are read at most once the process has ended; a pipe holds no more."""

_GLANCE = 0.1
"""Seconds between two looks at the process, where the system cannot say that it ended."""

_LONGEST = 0.25
"""Seconds that one call of poll may wait, before what the process uses is looked at."""


class Late(Exception):
    """An answer did not come in time."""


class Closed(Exception):
    """The other side is gone."""


class Channel:
    """The pipes to and from a process.

    Args:
        pid: of the process.
        sink: unbuffered stream that requests are written to; the channel closes it.
        source: unbuffered stream that answers are read from, likewise.
        watch: called again and again while an answer is waited for; what it raises ends the exchange.
    """

    def __init__(self, pid: int, sink: IO[bytes], source: IO[bytes], watch: Callable[[], None] = lambda: None) -> None:
        self._pid, self._sink, self._source, self._watch = pid, sink, source, watch
        self._buffer, self._lines = LineBuffer(), deque[Line]()
        self._end_of_process = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else -1
        for stream in (sink, source):
            os.set_blocking(stream.fileno(), False)
            _widen(stream.fileno())
        self._events = select.poll()
        for descriptor in (source.fileno(), self._end_of_process):
            if descriptor >= 0:
                self._events.register(descriptor, select.POLLIN)

    def send(self, pieces: Iterator[bytes]) -> Sending:
        """Send as much of requests as the pipe takes at once; `answers` sends the rest.

        Args:
            pieces: of the text of the requests.

        Raises:
            WireError: there is an answer to what nobody asked.
        """
        self._check_silent()
        sending = Sending(self._sink.fileno(), pieces)
        sending.write()
        return sending

    def answers(self, sending: Sending, count: int, limit: float) -> Iterator[Line]:
        """Give the answers to requests as they come.

        Args:
            sending: what `send` gave.
            count: of the requests.
            limit: seconds that may pass before the first answer, from now, and between two.

        Raises:
            Late: an answer did not come in time.
            Closed: the process ended, or closed its side.
            WireError: an answer is too long.
        """
        for _ in range(count):
            start = time.monotonic()
            while not self._lines:
                remaining = start + limit + sending.written / SLOWEST - time.monotonic()
                if remaining <= 0:
                    raise Late
                self._buffer.most = most_after(sending.written)
                self._write_and_read(sending, remaining)
            yield self._lines.popleft()

    def _write_and_read(self, sending: Sending, seconds: float) -> None:
        """Wait until something can be written or read, at most so long, and do it.

        Raises:
            Closed: there is nothing to read, and never will be.
        """
        self._watch()
        end = self._end_of_process
        longest = _LONGEST if end >= 0 else _GLANCE
        ready = {descriptor for descriptor, _ in self._wait(sending, min(seconds, longest))}
        ended = end in ready if end >= 0 else exit_of(self._pid) is not None
        more = self._read(ended) if self._source.fileno() in ready or ended else True
        if not more and not self._lines:
            raise Closed

    def _check_silent(self) -> None:
        """Check that there is no answer before anything was asked: it would be taken for that of the next request.

        Raises:
            WireError: there is.
        """
        with suppress(BlockingIOError):
            self._lines.extend(self._buffer.feed(os.read(self._source.fileno(), _CHUNK)))
        if self._lines or self._buffer.begun:
            raise WireError("it sent an answer to nothing that was asked")

    def _wait(self, sending: Sending, seconds: float) -> list[tuple[int, int]]:
        """Write what the pipe takes, and wait until it takes more or something else happens: descriptors and events."""
        if not sending.write():
            return self._events.poll(seconds * 1000)
        self._events.register(self._sink, select.POLLOUT)
        try:
            return self._events.poll(seconds * 1000)
        finally:
            self._events.unregister(self._sink)

    def _read(self, ended: bool) -> bool:
        """Read a chunk, or all that is there where the process ended; whether more may come."""
        for _ in range(_PIPES):
            try:
                chunk = os.read(self._source.fileno(), _CHUNK)
            except BlockingIOError:
                return not ended
            self._lines.extend(self._buffer.feed(chunk))
            if not chunk or not ended:
                return bool(chunk)
        return False  # others write on and on into the pipe of a process that has ended

    def close(self) -> None:
        """Close the pipes, whoever else holds them."""
        self._sink.close()
        self._source.close()
        if self._end_of_process >= 0:
            os.close(self._end_of_process)


class Sending:
    """Bytes on their way into a pipe; what nobody reads any more is dropped.

    Attributes:
        written: bytes that are in the pipe or through it.
    """

    def __init__(self, sink: int, pieces: Iterator[bytes]) -> None:
        self._sink, self._pieces = sink, joined(pieces)
        self._rest = memoryview(b"")
        self.written = 0

    def write(self) -> bool:
        """Write as much as the pipe takes; whether there is more."""
        while self._rest or self._next():
            try:
                count = os.write(self._sink, self._rest)
            except BlockingIOError:
                return True
            except OSError:  # the reading side says how the process ended
                self._rest, self._pieces = memoryview(b""), iter(())
                return False
            self._rest = self._rest[count:]
            self.written += count
        return False

    def _next(self) -> bool:
        self._rest = memoryview(next(self._pieces, b""))
        return bool(self._rest)


def _widen(pipe: int) -> None:
    """Let a pipe hold the messages of a case, where the system can: each side then waits less often for the other."""
    with suppress(OSError, AttributeError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _WIDE)


def joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pieces put together until they are as many bytes as are encoded at a time, since each costs a call to write.

    Long arrays come in pieces of that size, so that their text is never whole in memory.
    """
    parts, size = list[bytes](), 0
    for piece in pieces:
        parts.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)
