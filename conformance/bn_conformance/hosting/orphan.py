"""A judging process ends at once when the process that started it is gone, however that ended.

pytest-xdist's own processes see a closed pipe only between two items. Until then they would go on judging, and keep
their workers, for nobody.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

_SET_PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of prctl(2)."""

_INTERVAL = 0.5
"""Seconds between two looks at the parent, where the system does not say that it ended."""


def end_with_parent(parent: int) -> None:
    """Have this process killed when its parent ends; workers see that their pipe is closed, and end as well.

    Args:
        parent: number of the process that started this one, which may have ended since.
    """
    if sys.platform != "linux" or ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL) != 0:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
    elif os.getppid() != parent:  # it ended before it was watched
        _end()


def _end_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_INTERVAL)
    _end()


def _end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
