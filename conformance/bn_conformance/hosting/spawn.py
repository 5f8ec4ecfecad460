"""Starting the process of a worker. Nothing of the suite is imported for that, so that it can be the first thing done.

A worker that is started early imports what it needs while the command that will ask it still imports itself.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from bn_conformance.hosting.neutral import neutral_environment
from bn_conformance.hosting.process_tree import MARK

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "",
}
"""Set in every worker: one thread, since thread counts change bits, and bytecode, without which imports take double."""


@dataclass(frozen=True)
class Spawned:
    """A worker that was started.

    Attributes:
        process: the process.
        errors: the file that its standard error goes to.
        mark: what it and all that it starts carry in their environment.
        environment: environment variables of the implementation.
    """

    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    mark: str
    environment: Mapping[str, str]


_early: Spawned | None = None
"""The worker that was started before anybody needed it."""


def spawned(environment: Mapping[str, str]) -> Spawned:
    """A worker with the environment variables of an implementation: the one that was started early, or a new one."""
    global _early
    if _early is not None and _early.environment == environment:
        early, _early = _early, None
        return early
    return _spawn(environment)


@contextmanager
def early_worker() -> Iterator[None]:
    """Start a worker without variables of its own, for who needs one first; at the end of the block none is left."""
    global _early
    _early = _spawn({})
    try:
        yield
    finally:
        if _early is not None:
            unused, _early = _early, None
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(unused.process.pid, signal.SIGKILL)
            unused.process.communicate()
            unused.errors.close()


def _spawn(environment: Mapping[str, str]) -> Spawned:
    mark = f"{os.getpid()}-{secrets.token_hex(8)}"
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
    process = subprocess.Popen(
        [sys.executable, "-m", "bn_conformance.hosting.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=neutral_environment(os.environ) | ONE_THREAD | dict(environment) | {MARK: mark},
        bufsize=0,
        start_new_session=True,
    )
    return Spawned(process, errors, mark, dict(environment))
