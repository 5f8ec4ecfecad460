"""What a worker uses beside time, looked at while its answer is waited for: output that grows, and the last memory.

A worker that takes the last of the memory is ended before the system picks a process to kill, which may be another.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from bn_conformance.hosting.process_tree import tree_of

MOST_OUTPUT = 1 << 24
"""Bytes that a worker's standard error, and output, may take on disk before all but their end is dropped."""

BLOCK = 512
"""Bytes of a block as `st_blocks` counts them."""

TAIL = 600
"""Characters of standard error that are shown when a process is lost."""

RESERVE = 1 / 32
"""Share of the memory that is left when the worker that holds much of it is ended."""

MUCH = 1 / 4
"""Share of the memory that a worker may hold however little is left."""

INTERVAL = 0.2
"""Seconds between two looks at memory."""

_CGROUP = Path("/sys/fs/cgroup")
"""The limits of a container."""


class OutOfMemory(Exception):
    """A worker holds much of the memory, and there is hardly any left; the message says how much."""


class Watch:
    """Watches a worker.

    Args:
        pid: of the process.
        mark: that it and what it starts carry: of these the one that holds most memory is looked at.
        errors: file that its standard error and standard output go to.
    """

    def __init__(self, pid: int, mark: str, errors: IO[bytes]) -> None:
        self._pid, self._mark, self._errors, self._next = pid, mark, errors, 0.0
        # The worker writes through the same open file: what it writes after a cut begins at the new end.
        fcntl.fcntl(errors, fcntl.F_SETFL, fcntl.fcntl(errors, fcntl.F_GETFL) | os.O_APPEND)

    def look(self) -> None:
        """Cut what is too much of the output, and look at the memory from time to time.

        Raises:
            OutOfMemory: the worker must be ended.
        """
        if os.fstat(self._errors.fileno()).st_blocks * BLOCK > MOST_OUTPUT:
            self._cut_output()
        now = time.monotonic()
        if now >= self._next:
            self._next = now + INTERVAL
            self._look_at_memory()

    def tail(self) -> str:
        """The end of what the process wrote to standard error (and to standard output)."""
        return self._last_bytes().decode("utf-8", "replace")

    def _last_bytes(self) -> bytes:
        size = os.fstat(self._errors.fileno()).st_size
        return os.pread(self._errors.fileno(), TAIL, max(0, size - TAIL))

    def _cut_output(self) -> None:
        """Free what is before the end. Where a file takes no holes, what is just being written may be lost."""
        file = self._errors.fileno()
        if not punched(file, os.fstat(file).st_size - TAIL):
            last = self._last_bytes()
            os.ftruncate(file, 0)
            os.write(file, last)

    def _look_at_memory(self) -> None:
        memory = memory_left()
        if memory is None:
            return
        left, total = memory
        if left >= RESERVE * total:
            return
        held = max(map(held_by, (self._pid, *(process.pid for process in tree_of(self._pid, self._mark)))))
        if held > MUCH * total:
            gib = 1 << 30
            raise OutOfMemory(
                f"it held {held / gib:.1f} GiB of memory, and {left / gib:.1f} of {total / gib:.1f} were left"
            )


def punched(file: int, size: int) -> bool:
    """Make the first `size` bytes of a file a hole, which takes no space; False where the system cannot.

    The flags are those of fallocate(2) of Linux: FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE.
    """
    call = getattr(ctypes.CDLL(None), "fallocate", None)
    if call is None:
        return False
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return bool(call(file, 0x1 | 0x2, 0, size) == 0)


def memory_left() -> tuple[int, int] | None:
    """Bytes of memory that can still be had, and all there are, by the system or its container; None if not known."""
    found = [pair for pair in (_of_system(), _of_container()) if pair is not None]
    return min(found, default=None)


def _of_system() -> tuple[int, int] | None:
    with suppress(OSError, KeyError, ValueError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        sizes = {name: int(rest.split()[0]) << 10 for name, _, rest in (line.partition(":") for line in lines)}
        return sizes["MemAvailable"], sizes["MemTotal"]
    return None


def _of_container() -> tuple[int, int] | None:
    """What a control group of version 2 allows; what it holds of files can be dropped."""
    with suppress(OSError, ValueError, StopIteration):
        total = int((_CGROUP / "memory.max").read_text())
        stat = (line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        files = next(int(size) for name, size in stat if name == "inactive_file")
        return total - int((_CGROUP / "memory.current").read_text()) + files, total
    return None


def held_by(pid: int) -> int:
    """Bytes of memory that a process holds; 0 where that is not known."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
