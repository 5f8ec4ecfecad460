"""A process of its own for one adapter at a time: reads requests, answers them, runs nothing but the adapter.

Run as `python -m bn_conformance.hosting.worker`. The protocol's channel is what file descriptors 0 and 1 were at the
start; file descriptor 1 becomes standard error before anything else is imported, since frameworks print there.

It is a fork of the process that was started, which waits for it and ends as it does. So the parent that an adapter
finds, and may kill, is not the process that judges it. The process that was started may itself be the fork of a
template (`bn_conformance.hosting.template_process`).
"""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import time
import warnings
from contextlib import suppress

GRACE = 1.0
"""Seconds that a worker has to end by itself when nobody asks any more, and then again to be ended."""


def _stand_between(status: int | None) -> int:
    """Go on in a child of this process, which itself holds nothing, heeds nothing, and ends as the child does.

    Args:
        status: a pipe in which it says how the child ended, where nobody else can tell; None where its parent can.

    Returns:
        The number of this process, in the child: it may be killed at once, and the child would find another parent.
    """
    leader = os.getpid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored nobody learns how a child ended
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some frameworks warn of any fork; no other thread runs yet
        child = os.fork()
    if not child:
        if status is not None:
            os.close(status)
        return leader
    for number in signal.valid_signals() - {signal.SIGCHLD}:
        with suppress(OSError):  # some cannot be ignored
            signal.signal(number, signal.SIG_IGN)
    os.closerange(0, 3)
    _, ended = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(ended)
    if status is not None:
        os.write(status, b"%d" % code)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the child has left one already, if any is asked for
        with suppress(OSError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _take_channel() -> tuple[int, int]:
    """The protocol's two descriptors; standard input becomes empty and standard output goes to standard error."""
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _start_watchdog(leader: int, requests: int, answers: int) -> None:
    """Start a process that ends this one, and all that it started, once the asking side is gone.

    However that ended, the system closes its end of the pipe. A thread could not see it while a layer holds the
    interpreter's lock. The watchdog is nobody's child, so that an adapter which waits for its children never meets it.
    """
    from bn_conformance.hosting.process_tree import MARK, end_tree

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            return
        if os.fork():
            os._exit(0)
    os.setsid()
    os.close(answers)
    hang_up = select.poll()
    hang_up.register(requests, 0)  # POLLHUP is always reported; what is there to be read is not ours
    hang_up.poll()
    time.sleep(GRACE)
    end_tree(leader, os.environ.get(MARK, ""), GRACE, spared=os.getpid())
    os._exit(0)


def main(status: int | None = None) -> int:
    """Serve until the channel closes.

    Args:
        status: as `_stand_between` has it.
    """
    leader = _stand_between(status)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # these are ignored where who started it ignores them
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    requests, answers = _take_channel()
    _start_watchdog(leader, requests, answers)
    from bn_conformance.hosting.lines import read_line
    from bn_conformance.hosting.server import Server

    server = Server()
    with os.fdopen(requests, "rb") as source, os.fdopen(answers, "wb") as sink:
        while (line := read_line(source)).text:
            sink.write(server.answer(line))
            sink.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
