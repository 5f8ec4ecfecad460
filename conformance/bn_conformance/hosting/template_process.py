"""The process of a template: it imports, and is forked for each worker that is asked for.

Run as `python -m bn_conformance.hosting.template_process PARENT TARGET NAMES...`, with a socket as standard input. A
message holds the mark of a worker, and with it come the worker's three standard descriptors and a pipe in which it says
its number and, in the end, how it ended. The process ends with its parent.

A process in which another thread runs is not forked: it could hold a lock that nobody ever frees.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from bn_conformance.hosting.orphan import end_with_parent
from bn_conformance.hosting.process_tree import MARK

_LONGEST = 256
"""Bytes of a message."""


def main(parent: int, target: str, names: Sequence[str]) -> None:
    """Import, and serve until nobody can ask any more.

    Args:
        parent: number of the process that started this one.
        target: whose file says what is imported.
        names: of the environment variables of the implementation.
    """
    end_with_parent(parent)
    import bn_conformance.hosting.server  # noqa: F401 - what every worker imports
    from bn_conformance.targets.first_imports import import_first

    import_first(target, names)
    with socket.socket(fileno=os.dup(0)) as asked:
        while True:
            message, descriptors, _, _ = socket.recv_fds(asked, _LONGEST, 4)
            if not message:
                return
            if _threads() == 1 and not os.fork():
                asked.close()
                _become_worker(message.decode(), descriptors)
            for descriptor in descriptors:
                os.close(descriptor)


def _threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def _become_worker(mark: str, descriptors: Sequence[int]) -> None:
    """Live as a worker does that is a new process: in a session of its own, under a mark of its own."""
    from bn_conformance.hosting.worker import main as work

    os.setsid()
    _take_mark(mark)
    *standard, status = descriptors
    for place, descriptor in enumerate(standard):
        os.dup2(descriptor, place)
        os.close(descriptor)
    os.write(status, b"%d" % os.getpid())
    os._exit(work(status))


def _take_mark(mark: str) -> None:
    """Carry a mark: where processes that are started inherit it from, and where the system shows it.

    The system shows the memory in which the first environment of a process lies.
    """
    get = ctypes.CDLL(None).getenv
    get.argtypes, get.restype = (ctypes.c_char_p,), ctypes.c_void_p
    before = os.environ[MARK]
    assert len(mark) == len(before), "marks are of one length"
    ctypes.memmove(get(MARK.encode()), mark.encode(), len(mark))
    os.environ[MARK] = mark


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
