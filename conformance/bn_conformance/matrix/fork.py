"""One fork of the process that controls a check: it takes blocks of items, and says what becomes of each.

Ctrl-C and the signals like it are for the process that it was forked from, with which it ends.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress

from bn_conformance.hosting.orphan import end_with_parent
from bn_conformance.matrix.reports import Finding

BEGUN, JUDGED, FAILED = "+", "=", "!"
"""How a line of a fork begins: the items of a block that it took, a record, an item with the error it ended in."""

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end a run, which the process that controls it heeds."""

_CHUNK = 1 << 16


class Fork:
    """A fork of this process.

    Attributes:
        descriptor: where it can be heard.
        left: ids of the items that it took and has not reported.
        ended: whether it says no more.

    Args:
        first: ids of the items that it judges first.
        serve: what it does.

    Raises:
        OSError: the system allows no more processes.
    """

    def __init__(
        self, first: Sequence[str], serve: Callable[[Sequence[str], Callable[[str, str], None]], None]
    ) -> None:
        parent = os.getpid()
        self._here, there = socket.socketpair()
        try:
            with _held_back() as heeded:
                self._pid = os.fork()
                if not self._pid:
                    _live(parent, self._here, there, heeded, lambda say: serve(first, say))
        except BaseException:
            self._here.close()
            raise
        finally:
            there.close()
        self.descriptor, self.left, self.ended, self._text = self._here.fileno(), deque(first), False, b""

    def heard(self) -> Iterator[tuple[str, Finding]]:
        """What it says now of items, by id."""
        received = b""
        with suppress(ConnectionError):
            received = self._here.recv(_CHUNK)
        self.ended = not received
        *lines, self._text = (self._text + received).split(b"\n")
        for line in lines:
            kind, text = chr(line[0]), line[1:].decode()
            if kind == BEGUN:
                self.left.extend(json.loads(text))
                continue
            yield self.left.popleft(), text if kind == JUDGED else tuple(json.loads(text))

    def let_go(self) -> None:
        """Close this process's end, in another fork."""
        self._here.close()

    def end(self) -> None:
        """End it; its worker ends once its pipe is closed."""
        self._here.close()
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


@contextmanager
def _held_back() -> Iterator[Collection[int]]:
    """A block within which signals that end a run wait; it is given what was held back before."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _live(
    parent: int,
    theirs: socket.socket,
    own: socket.socket,
    heeded: Collection[int],
    serve: Callable[[Callable[[str, str], None]], None],
) -> None:
    """The life of a fork, which never returns to what it was forked from, nor is interrupted where that is."""
    try:
        for number in _ENDING:
            signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, heeded)
        end_with_parent(parent)
        gc.freeze()  # what it was forked with stays, and is not looked through again and again
        theirs.close()
        serve(lambda kind, text: own.sendall(f"{kind}{text}\n".encode()))
    finally:
        os._exit(0)
