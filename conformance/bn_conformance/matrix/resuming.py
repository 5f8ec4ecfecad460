"""Finishing a run that ended early: what its results file holds, and whether this run is the same one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bn_conformance.identity.fingerprint import OPEN, reason_against
from bn_conformance.matrix.opening import Opening
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.reusing import with_verdict
from bn_conformance.matrix.rules import Rules
from bn_conformance.options import DEFAULTS, OPTIONS, RunOptions
from bn_conformance.results.file import Extent, Results, extent_of, read_results
from bn_conformance.results.outcomes import ItemVerdict, is_level
from bn_conformance.results.records import Environment, Item
from bn_conformance.user_error import UserError

OF_THE_PROCESS = ("results", "resume", "reuse", "ray", "timeout")
"""Options that are not those of the first run: where results are, and how they are made."""


@dataclass(frozen=True)
class Interrupted:
    """A run that ended early.

    Attributes:
        results: that it left.
        extent: of its file.
    """

    results: Results
    extent: Extent

    def options(self, given: RunOptions) -> RunOptions:
        """The options of the first run, with those of the process as they are given.

        Raises:
            UserError: an option is given that contradicts the first run.
        """
        path, stored = self.results.path, self.results.header.options
        if given.results and Path(given.results).resolve() != Path(path).resolve():
            raise UserError(f"--resume {path} goes on with that file; leave out --results {given.results}")
        chosen: dict[str, Any] = {name: getattr(given, name) for name in OF_THE_PROCESS} | {"results": path}
        for name, option in OPTIONS.items():
            if name in OF_THE_PROCESS:
                continue
            value, now = self._stored(name, stored.get(name, DEFAULTS[name])), getattr(given, name)
            if now not in (DEFAULTS[name], value):
                raise _cannot(path, f"{option.flags[-1]} was {_shown(value)} and is {_shown(now)}")
            chosen[name] = value
        return RunOptions(**chosen)

    def _stored(self, name: str, value: Any) -> Any:
        default = DEFAULTS[name]
        value = tuple(value) if isinstance(value, list) else value
        texts = not isinstance(value, tuple) or all(isinstance(entry, str) for entry in value)
        if type(value) is not type(default) or not texts:
            raise _cannot(self.results.path, f"its header says no {OPTIONS[name].flags[-1]} of one run")
        return value

    def check(self, plan: Plan, opening: Opening) -> None:
        """Check that a plan is that of the first run, and that what was judged is what would be judged now.

        Raises:
            UserError: it is not; the message says what differs.
        """
        why = next(self._contradictions(plan, opening), "")
        if why:
            raise _cannot(self.results.path, why)

    def _contradictions(self, plan: Plan, opening: Opening) -> Iterator[str]:
        header, now = self.results.header, opening.header
        if header.suite != now.suite:
            yield f"bnconform {header.suite} began it, this is {now.suite}"
        if header.clauses != now.clauses:
            yield "the clauses of the specification are others now"
        cases = [case.id for case in header.cases] != [case.id for case in now.cases]
        if cases or header.implementations != now.implementations or not {*header.planned} <= {*now.planned}:
            yield "it plans other items than the same options plan now"
        for first, second in zip(header.cases, now.cases, strict=False):
            if first != second:
                yield f"the case {second.id} is another now"
        before = {record.implementation: record for record in self.results.environments}
        for record in opening.environments:
            if record.implementation in before:
                reason = _changed(before[record.implementation], record)
                if reason:
                    yield f"{record.implementation} is not what it was: {reason}"
        rules = Rules(plan)
        for item in self.judged(plan):
            anew = with_verdict(item, rules, *plan.items[item.id])
            if is_level(item.outcome) and (anew.verdict, anew.known_fault) != (item.verdict, item.known_fault):
                yield f"other known faults decide its verdicts now, that of {item.id} first"

    @property
    def seconds(self) -> float:
        """How long it ran, where it says so."""
        return self.results.end.seconds if self.results.end is not None else 0.0

    def missing(self, plan: Plan) -> list[str]:
        """The ids of what it planned and did not judge, in the order of the plan."""
        missing = frozenset(self.results.missing())
        return [item for item in plan.items if item in missing]

    def judged(self, plan: Plan) -> list[Item]:
        """The items that were judged, without those that a declaration leaves out."""
        return [item for item in self.results.items if item.id in plan.items]

    def not_asked(self, plan: Plan) -> list[Item]:
        """The items outside the sample of which it says so."""
        beyond, verdict = plan.beyond_sample, ItemVerdict.NOT_ASKED.value
        return [item for item in self.results.items if item.verdict == verdict and item.id in beyond]


def interrupted_run(path: str) -> Interrupted:
    """The run that a results file tells of, which may have been cut off anywhere.

    Raises:
        ResultsError: the file cannot be read, or holds no header.
    """
    extent = extent_of(path)
    return Interrupted(read_results(path), extent)


def _changed(before: Environment, now: Environment) -> str:
    """Why an implementation is not what it was, in words; empty where nothing is known to differ."""
    for name in ("status", "versions", "device"):
        first, second = getattr(before, name), getattr(now, name)
        if first != second:
            return f"{name} was {_shown(first)} and is {_shown(second)}"
    first, second = _known(before), _known(now)
    if replace(before, fingerprint={}) != replace(now, fingerprint={}):
        return "what it declares changed"
    return reason_against(first, second) if first or second else ""


def _known(record: Environment) -> dict[str, str]:
    """What is known of a fingerprint: an interrupted run may go on where something is not."""
    return {part: digest for part, digest in record.fingerprint.items() if part != OPEN}


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {text}" for name, text in value.items()) or "nothing"
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "not given"
    return str(value) or "not given"


def _cannot(path: str, why: str) -> UserError:
    hint = f"run again without --resume (--reuse {path} takes over what still holds)"
    return UserError(f"{path} cannot be resumed: {why}; {hint}")
