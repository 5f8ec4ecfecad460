"""Starting the process of a worker. Hardly anything of the suite is imported for that: it is the first thing done.

A command about one target starts a template (`bn_conformance.hosting.template`), which imports what workers need while
the command still imports itself, and is forked for each. Elsewhere each worker is a new process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from bn_conformance.hosting.neutral import neutral_environment
from bn_conformance.hosting.process_tree import MARK, new_mark
from bn_conformance.hosting.started import Child, Started
from bn_conformance.hosting.template import CAN_FORK, Template

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "",
}
"""Set in every worker: one thread, since thread counts change bits, and bytecode, without which imports take double."""

_template: Template | None = None
"""What workers are forked from; None where each is a new process."""

_target = ""
"""What the template was started for."""


def spawned(environment: Mapping[str, str]) -> Started:
    """A worker with the environment variables of an implementation, forked from the template where there is one."""
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
    template = _template_with(environment)
    forked = template.fork(errors.fileno()) if template is not None else None
    if forked is not None:
        return Started(forked.process, forked.stdin, forked.stdout, errors, forked.mark, dict(environment))
    return _new(environment, errors)


@contextmanager
def template_for(target: str) -> Iterator[None]:
    """Start a template for a target; within the block workers are forked from it, where the system allows that."""
    global _template, _target
    if not CAN_FORK:
        yield
        return
    _target, _template = target, _new_template(target, {})
    try:
        yield
    finally:
        ended, _template = _template, None
        ended.close()


def _template_with(environment: Mapping[str, str]) -> Template | None:
    """The template, started anew where other variables are asked for; a fork of this process uses the one that is."""
    global _template
    if _template is None or _template.environment == environment:
        return _template
    if not _template.is_own:
        return None
    _template.close()
    _template = _new_template(_target, environment)
    return _template


def _new_template(target: str, environment: Mapping[str, str]) -> Template:
    return Template(target, environment, _variables(environment))


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    return neutral_environment(os.environ) | ONE_THREAD | dict(environment)


def _new(environment: Mapping[str, str], errors: IO[bytes]) -> Started:
    """A worker in a new process."""
    mark = new_mark()
    process = subprocess.Popen(
        [sys.executable, "-m", "bn_conformance.hosting.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=_variables(environment) | {MARK: mark},
        bufsize=0,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    return Started(Child(process), process.stdin, process.stdout, errors, mark, dict(environment))
