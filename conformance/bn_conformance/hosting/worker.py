"""A process of its own for one adapter at a time: reads requests, answers them, runs nothing but the adapter.

Run as `python -m bn_conformance.hosting.worker`. The protocol's channel is what file descriptors 0 and 1 were at the
start; file descriptor 1 becomes standard error before anything else is imported, since frameworks print there.
"""

from __future__ import annotations

import os
import sys


def _take_channel() -> tuple[int, int]:
    """The protocol's two descriptors; standard input becomes empty and standard output goes to standard error."""
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def main() -> int:
    """Serve until the channel closes."""
    requests, answers = _take_channel()
    from bn_conformance.hosting.server import Server
    from bn_conformance.hosting.wire import read_line

    server = Server()
    with os.fdopen(requests, "rb") as source, os.fdopen(answers, "wb") as sink:
        while (line := read_line(source)).text:
            sink.write(server.answer(line))
            sink.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
