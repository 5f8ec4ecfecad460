"""A command that is told to end early: by Ctrl-C, by SIGTERM, or since its terminal is closed.

It ends what it has started, removes its folders, and tells what it judged until then.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from bn_conformance.results.exit_codes import INTERRUPTED

_LIKE_CTRL_C = ("SIGTERM", "SIGHUP")
"""Signals that end a process with nothing said and nothing removed, unless it heeds them. Not every system has both."""


class Ending:
    """How a command was told to end.

    Attributes:
        exit_code: with which it ends then, 128 and the number of the signal, as shells have it.
    """

    exit_code = INTERRUPTED

    def heed(self, number: int, frame: Any) -> None:
        """Note a signal, and end as Ctrl-C does; further ones come to nothing, as many senders send two.

        Raises:
            KeyboardInterrupt: always.
        """
        self.exit_code = 128 + number
        for name in _LIKE_CTRL_C:
            with suppress(AttributeError):
                signal.signal(getattr(signal, name), signal.SIG_IGN)
        raise KeyboardInterrupt


@contextmanager
def told_to_end() -> Iterator[Ending]:
    """A block that SIGTERM and SIGHUP end as Ctrl-C does; a signal that is ignored, as by nohup, stays so."""
    told, before = Ending(), dict[int, Any]()
    if threading.current_thread() is threading.main_thread():  # in no other may a signal be heeded
        for name in _LIKE_CTRL_C:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, told.heed)
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
