"""Scripts of known faults: which items an entry stands for, and whether a script shows the fault, in this process."""

from __future__ import annotations

import io
import runpy
import traceback
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory

from bn_conformance.cases.model import Case
from bn_conformance.implementations.implementation import OK, Implementation
from bn_conformance.implementations.known_faults import KnownFault, shipped
from bn_conformance.matrix.plan import Plan, make_plan
from bn_conformance.matrix.reproducing import Reproducer
from bn_conformance.options import RunOptions
from bn_conformance.repro.literals import NoRepro

MOST_TRIED = 60
"""Cases of an entry that are tried: not each of its cases fails everywhere."""


@dataclass(frozen=True)
class Entry:
    """A known fault, the implementation that is taken for it, and its cases there, the smallest first."""

    fault: KnownFault
    implementation: Implementation
    cases: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"{self.fault.line}-{self.implementation.name}-{self.fault.case or self.fault.clause}"


@cache
def _plan() -> Plan:
    return make_plan(RunOptions(implementations=("*",), in_process=True))


def entries(large: bool = False) -> list[Entry]:
    """The entries of the shipped file that some implementation here has; those of large cases, or all others."""
    plan = _plan() if not large else make_plan(RunOptions(implementations=("*",), cases=("num/*/large-*",)))
    by_name: dict[str, list[Case]] = {}
    for implementation, case in plan.items.values():
        by_name.setdefault(implementation.name, []).append(case)
    found = []
    for fault in shipped():
        for implementation in plan.implementations:
            if implementation.status == OK and fault.applies_to(implementation):
                cases = [case for case in by_name.get(implementation.name, []) if fault.covers(case)]
                if cases:
                    smallest = sorted(cases, key=_size)
                    found.append(Entry(fault, implementation, tuple(case.id for case in smallest)))
                    break
    return found


def _size(case: Case) -> tuple[int, int]:
    return len(case.batches), sum(prod(batch.shape) for batch in case.batches)


def shown(name: str, cases: Iterable[str]) -> str:
    """Write the script of the first case that fails, and run it in this process: empty where it shows the fault."""
    tried = tuple(cases)[:MOST_TRIED]
    reproducer = Reproducer(make_plan(RunOptions(implementations=(name,), cases=tried, in_process=True)))
    said = "no case fails"
    for case in tried:
        try:
            text = reproducer.script_of(f"{name}::{case}").text
        except NoRepro as error:
            said = str(error)
            continue
        code, output = outcome_of(text)
        return "" if code == 1 and "\nFAULT:" in f"\n{output}" else f"{case} ends with {code}:\n{output}\n{text}"
    return said


def outcome_of(script: str) -> tuple[object, str]:
    """The exit code of a script, and what it prints; None for one that does not exit."""
    assert "bn_conformance" not in script.replace("bnconform", "")
    output = io.StringIO()
    with TemporaryDirectory() as folder, redirect_stdout(output):
        path = Path(folder, "repro.py")
        path.write_text(script, encoding="utf-8")
        try:
            runpy.run_path(str(path))
        except SystemExit as ended:
            return int(ended.code or 0), output.getvalue()
        except Exception:
            return "a traceback", output.getvalue() + traceback.format_exc()
    return None, output.getvalue()
