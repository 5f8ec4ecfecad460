"""What a process of a cluster does: it judges a block of items of a plan, and gives their records as they come."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bn_conformance.hosting.neutral import neutral_environment
from bn_conformance.identity.fingerprint import OPEN, fingerprint
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.runner import Runner
from bn_conformance.results.json_line import to_line

ELSEWHERE = frozenset({"machine", OPEN})
"""Parts of a fingerprint that may differ among the nodes of a cluster."""


class _Work:
    """A plan in this process: its runner, whose goldens and processes later blocks use again.

    Args:
        plan: of the run, as plain data.
        folder: where the run was started; targets may be named by paths from there.
    """

    def __init__(self, plan: dict[str, Any], folder: str) -> None:
        environment = neutral_environment(os.environ)
        os.environ.clear()
        os.environ.update(environment)
        if os.path.isdir(folder):  # noqa: PTH112 - elsewhere its files are not there, which the fingerprints tell
            os.chdir(folder)
        self.plan = replace(Plan.from_json(plan), cache="")  # that of the run lies on another machine
        self.runner = Runner(self.plan)


_WORK: dict[str, _Work] = {}


def judge_block(run: str, plan: dict[str, Any], folder: str, items: Sequence[str]) -> Iterator[str]:
    """Judge items of one implementation.

    Args:
        run: names the run, so that a process reads its plan once.
        plan: of the run, as plain data.
        folder: where the run was started.
        items: ids of the items.

    Yields:
        First what the implementation is made of here, as `same_everywhere` says it; then a record for each item, as a
        line of JSON.
    """
    if run not in _WORK:
        _WORK.clear()
        _WORK[run] = _Work(plan, folder)
    work = _WORK[run]
    implementation, _ = work.plan.items[items[0]]
    yield same_everywhere(fingerprint(implementation, work.plan.options.in_process))
    for item in items:
        yield to_line(work.runner.run(*work.plan.items[item]))


def same_everywhere(parts: Mapping[str, str]) -> str:
    """Those parts of a fingerprint that must be the same on every node, as text."""
    return json.dumps({part: digest for part, digest in parts.items() if part not in ELSEWHERE}, sort_keys=True)
