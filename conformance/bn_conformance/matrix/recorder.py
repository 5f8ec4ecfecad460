"""Recording a run: the results file, progress, and the exit code. Only the controlling process has a recorder."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.implementations.known_faults import KnownFault
from bn_conformance.implementations.registry import OK, Implementation, matches_pattern, registered
from bn_conformance.judging.item import lost_item, reproduce
from bn_conformance.matrix.plan import Plan
from bn_conformance.results import outcomes
from bn_conformance.results.file import Writer, read
from bn_conformance.results.outcomes import Verdict
from bn_conformance.results.records import (
    CaseInfo,
    ClauseInfo,
    Diagnosis,
    End,
    Environment,
    Header,
    Item,
    StaleFault,
)
from bn_conformance.targets.description import capabilities_to_json
from bn_reference.specification.clauses import clauses

CONFORMS, FAILS, USAGE, NOT_JUDGED = 0, 1, 2, 3
"""Exit codes: all conform; something does not (or an entry of the known faults is stale); usage; too little judged."""


class Recorder:
    """Writes records as they come and knows, at the end, what is missing."""

    def __init__(self, plan: Plan, planned: Sequence[str], front: bool) -> None:
        self._plan = plan
        self._start = time.perf_counter()
        self.path = Path(plan.options.results or default_path())
        self._writer = Writer(self.path)
        self._items: dict[str, Item] = {}
        self._by_id = plan.items()
        self._planned = planned
        unsupported = plan.unsupported()
        every = (*planned, *(f"{entry.name}::{case.id}" for entry, case, _ in unsupported))
        self._writer.write(_header(plan, every), *(_environment(entry) for entry in plan.implementations))
        for implementation, case, reason in unsupported:
            self._writer.write(
                Item(
                    implementation=implementation.name,
                    case=case.id,
                    outcome=outcomes.UNSUPPORTED,
                    verdict=Verdict.UNSUPPORTED.value,
                    message=reason,
                )
            )
        self._progress = _Progress(len(planned)) if front else None
        self._exit_code = CONFORMS

    def add(self, item: Item) -> None:
        """Record an item."""
        if item.id in self._items:
            return
        self._items[item.id] = item
        self._writer.write(item)
        if self._progress:
            self._progress.advance(item)

    def lost(self, item: str, message: str) -> None:
        """Record an item whose pytest process died or that failed outside of its case."""
        if item in self._by_id:
            implementation, case = self._by_id[item]
            item_ = lost_item(implementation.name, case, outcomes.CRASHED, message.strip()[-500:])
            self.add(replace(item_, reproduce=reproduce(implementation.address, case.id)))

    def finish(self, pytest_status: int, partial: bool) -> int:
        """Write what only the end shows, and say how the run went.

        Args:
            pytest_status: pytest's own exit status.
            partial: a pytest selection (`-k`, `-m`) left items out on purpose.

        Returns:
            The exit code.
        """
        if self._progress:
            self._progress.close()
        stale = [] if partial or pytest_status == 2 else self._stale()
        self._writer.write(*stale)
        self._writer.write(*([] if pytest_status == 2 else self._diagnoses()))
        code, message = self._conclusion(stale, partial, pytest_status)
        self._exit_code = code
        self._writer.write(End(exit_code=code, seconds=round(time.perf_counter() - self._start, 3), message=message))
        self._writer.close()
        return code

    def _conclusion(self, stale: Sequence[StaleFault], partial: bool, pytest_status: int) -> tuple[int, str]:
        judged = {item.implementation for item in self._items.values() if _was_judged(item)}
        missing = [item for item in self._planned if item not in self._items]
        idle = [entry.name for entry in self._plan.runnable if entry.name not in judged]
        broken = [entry.name for entry in self._plan.implementations if entry.status == "broken"]
        if pytest_status == 2:
            return 130, "interrupted"
        if not judged:
            return NOT_JUDGED, "nothing was judged"
        if missing and not partial:
            return NOT_JUDGED, f"{len(missing)} planned items never reported, the first: {missing[0]}"
        if idle and not partial:
            return NOT_JUDGED, f"nothing was judged of {', '.join(idle)}"
        if broken:
            return FAILS, f"cannot be used: {', '.join(broken)}"
        if any(item.verdict == Verdict.FAIL.value for item in self._items.values()):
            return FAILS, "something does not conform"
        if stale:
            return FAILS, "the known faults hold entries that match no failure any more"
        if self._plan.options.profile == "standard" and self._nonstandard():
            return FAILS, f"nonstandard conventions: {', '.join(self._nonstandard())}"
        return CONFORMS, "all conform"

    def _nonstandard(self) -> list[str]:
        return [entry.name for entry in self._plan.runnable if entry.convention.nonstandard()]

    def _stale(self) -> list[StaleFault]:
        known, default = self._plan.known_cases(), registered(self._plan.options.device)
        names = [entry.name for entry in default.values() if entry.group == "default"]
        found = []
        for fault in self._plan.faults:
            if not _whole(fault, self._plan, names):
                continue
            applying = [entry.name for entry in self._plan.runnable if fault.applies_to(entry)]
            covered = [
                item
                for item in self._items.values()
                if item.implementation in applying and fault.covers(known[item.case])
            ]
            failing = [
                item for item in covered if item.verdict == Verdict.KNOWN.value and item.known_fault == fault.title
            ]
            lost = any(item.verdict == Verdict.FAIL.value for item in covered)  # a known fault never fails: it was lost
            if covered and not failing and not lost:
                message = f"no longer fails: delete the entry at {fault.file}, line {fault.line} ({fault.title})"
                found.append(
                    StaleFault(entry=fault.title, file=fault.file, line=fault.line, message=message, reason=fault.title)
                )
        return found

    def _diagnoses(self) -> list[Diagnosis]:
        """What explains the failures of each implementation whose failing items were examined."""
        by_name: dict[str, list[Item]] = {}
        for item in self._items.values():
            by_name.setdefault(item.implementation, []).append(item)
        failing = [
            entry
            for entry in self._plan.runnable
            if any(item.explained_by is not None for item in by_name.get(entry.name, ()))
        ]
        if not failing:
            return []
        from bn_conformance.diagnosis.diagnose import diagnose

        found = (diagnose(entry.name, entry.convention, by_name[entry.name]) for entry in failing)
        return [diagnosis for diagnosis in found if diagnosis is not None]

    def print_summary(self) -> None:
        """Print the summary of the results file to standard output."""
        from rich.console import Console

        from bn_conformance.report.terminal import print_summary

        print_summary(read(self.path), Console())


def _whole(fault: KnownFault, plan: Plan, default: Sequence[str]) -> bool:
    """Whether the run covered all that the entry speaks of, so that the entry can be called stale.

    All its cases must have been selected (large ones where it covers no other), and every registered implementation of
    the default group, which `default` names, that its pattern matches must have been run.
    """
    own = [name for name in default if matches_pattern(name, fault.implementation)]
    if not {entry.name for entry in plan.runnable}.issuperset(own):
        return False
    covered = [case.id for case in all_cases().values() if fault.covers(case)]
    covered = covered or [case.id for case in large_cases().values() if fault.covers(case)]
    return set(plan.cases).issuperset(covered)


def _was_judged(item: Item) -> bool:
    return item.outcome not in (
        outcomes.UNSUPPORTED,
        outcomes.NOT_JUDGED,
        outcomes.CRASHED,
        outcomes.TIMED_OUT,
        outcomes.ERRORED,
    )


def default_path() -> str:
    """Where results go that nobody names a file for."""
    return f"reports/{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl"


def suite_version() -> str:
    """The installed version of bnconform."""
    try:
        return version("bnconform")
    except PackageNotFoundError:
        return "0+unknown"


def _header(plan: Plan, planned: tuple[str, ...]) -> Header:
    known = plan.known_cases()
    requirement = {clause.id: clause.requirement for clause in clauses().values()}
    return Header(
        suite=suite_version(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=_machine(),
        options=plan.to_json()["options"],
        implementations=tuple(entry.name for entry in plan.implementations),
        cases=tuple(
            CaseInfo(
                id=case.id,
                family=case.family,
                title=case.title,
                clauses=case.clauses,
                requirement=requirement[case.clauses[0]],
                axes=case.axes,
            )
            for case in (known[case_id] for case_id in plan.cases)
        ),
        clauses=tuple(
            ClauseInfo(id=clause.id, family=clause.family, requirement=clause.requirement, text=clause.text)
            for clause in clauses().values()
        ),
        planned=planned,
    )


def _machine() -> dict[str, str]:
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "byteorder": sys.byteorder,
    }


def _environment(entry: Implementation) -> Environment:
    ok = entry.status == OK
    return Environment(
        implementation=entry.name,
        status=entry.status,
        message=entry.message,
        versions=dict(entry.versions),
        device=entry.device,
        settings={**entry.variables(), "threads": "1"} if ok else {},
        convention=entry.convention.to_json() if ok else {},
        nonstandard=entry.convention.nonstandard() if ok else {},
        capabilities=capabilities_to_json(entry.capabilities) if ok else {},
    )


class _Progress:
    """A progress bar on standard error, with counts."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        columns = (
            TextColumn("{task.fields[name]:<24.24}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failed]} failed"),
            TimeElapsedColumn(),
        )
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        self._task = self._bar.add_task("", total=total, name="starting", failed=0)
        self._failed = 0
        self._done = 0
        self._total = total
        self._plain = not console.is_terminal
        self._next = 10
        self._bar.start()

    def advance(self, item: Item) -> None:
        """One more item is done."""
        self._failed += item.verdict == Verdict.FAIL.value
        self._done += 1
        self._bar.update(self._task, advance=1, name=item.implementation, failed=self._failed)
        if self._plain and 100 * self._done >= self._next * self._total:
            sys.stderr.write(f"{self._next:3d} % ({self._done} of {self._total}), {self._failed} failed\n")
            self._next += 10

    def close(self) -> None:
        """Remove the bar."""
        self._bar.stop()
