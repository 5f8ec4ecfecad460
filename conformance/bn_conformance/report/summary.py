"""Results as reports need them: per implementation and family, with what goes wrong in groups.

The time it takes is linear in the items.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from heapq import nlargest

from bn_conformance.report.entries import Entry, Tally, badness
from bn_conformance.report.legend import Sign, sign_of_state
from bn_conformance.report.problems import ImplementationProblem, SharedProblem, implementation_problems, problems
from bn_conformance.report.run_notes import run_notes
from bn_conformance.results.coverage import Coverage, coverage_in
from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import MISSING, UNSUPPORTED, ItemVerdict
from bn_conformance.results.records import CaseInfo, ClauseInfo, Environment, Item, split_id
from bn_conformance.text import counted, one_line

STATES = ("fail", "short", "known", "warn", "ok", "absent")
"""The states of an implementation, the gravest first."""


def _but(verdicts: Counter[str]) -> str:
    """Known faults and warnings, counted: what has to be said beside `conforms`."""
    known, warned = verdicts[ItemVerdict.KNOWN], verdicts[ItemVerdict.WARN]
    but = [counted(known, "known fault")] * bool(known) + [counted(warned, "warning")] * bool(warned)
    return " and ".join(but)


@dataclass(frozen=True)
class ImplementationSummary:
    """All that the results say of one implementation."""

    name: str
    environment: Environment
    entries: tuple[Entry, ...]
    by_family: Mapping[str, tuple[Entry, ...]]
    """Entries of each family that has any, in the order of the families."""
    families: Mapping[str, Tally]
    """Their tallies."""
    tally: Tally
    coverage: Coverage
    """How much was asked and judged, and whether it was enough."""
    interrupted: int
    """How many planned cases were not run, since the run was interrupted."""

    @property
    def state(self) -> str:
        """`ok`, `warn`, `known`, `short` (too little was judged), `fail` or `absent`."""
        verdicts = self.tally.verdicts
        if verdicts[ItemVerdict.FAIL] or self.environment.status == "broken":
            return "fail"
        if not self.tally.judged:
            return "absent"
        if self.coverage.lacking or self.interrupted:
            return "short"
        return "known" if verdicts[ItemVerdict.KNOWN] else "warn" if verdicts[ItemVerdict.WARN] else "ok"

    @property
    def sign(self) -> Sign:
        """What shows the state."""
        return sign_of_state(self.state)

    @property
    def headline(self) -> str:
        """The verdict in words."""
        verdicts, status = self.tally.verdicts, self.environment.status
        if status != "ok" and not verdicts.total():
            return "broken" if status == "broken" else "not installed"
        if verdicts[ItemVerdict.FAIL]:
            cases = f"{counted(self.tally.run, 'case')} {'fails' if self.tally.run == 1 else 'fail'}"
            return f"does not conform: {verdicts[ItemVerdict.FAIL]:,} of {cases}"
        if self.state in ("absent", "fail"):
            return "broken" if status == "broken" else "nothing was judged"
        if self.interrupted:
            return f"interrupted: {self.interrupted:,} of {counted(self.interrupted + self.tally.run, 'case')} not run"
        if self.state == "short":
            return f"too little was judged of {', '.join(self.coverage.lacking)}"
        but, conforms = _but(verdicts), f"conforms{' as declared' * self.coverage.as_declared}"
        return but if self.state == "known" else f"{conforms}, with {but}" if but else conforms

    @property
    def worst_passing(self) -> list[Entry]:
        """The five passing entries with the largest ratios."""
        judged = (entry for entry in self.entries if entry.worst and entry.worst.ratio)
        passing = (entry for entry in judged if entry.item.verdict == ItemVerdict.PASS)
        return nlargest(5, passing, key=lambda entry: entry.badness)

    @property
    def unsupported(self) -> list[tuple[str, int]]:
        """Reasons why cases are not supported, with their counts, the most frequent first."""
        return Counter(
            entry.why for entry in self.entries if entry.item.verdict == ItemVerdict.UNSUPPORTED
        ).most_common()

    def problems(self, verdict: str) -> list[ImplementationProblem]:
        """Its entries with a verdict, those that go wrong in the same way together."""
        return implementation_problems(self.name, verdict, self.entries)


@dataclass(frozen=True)
class Summary:
    """Results in the shape of reports."""

    results: Results
    implementations: tuple[ImplementationSummary, ...]
    families: tuple[str, ...]
    cases: Mapping[str, Mapping[str, Entry]]
    """Per case, in the header's order, its entries by implementation."""
    clauses: Mapping[str, ClauseInfo]
    tally: Tally
    elements_total: int
    elements_judged: int
    infos: Mapping[str, CaseInfo] = field(repr=False)

    @cached_property
    def cases_by_family(self) -> dict[str, list[CaseInfo]]:
        """Cases of each family."""
        cases: dict[str, list[CaseInfo]] = {family: [] for family in self.families}
        for case in self.infos.values():
            cases[case.family].append(case)
        return cases

    @cached_property
    def by_gravity(self) -> tuple[ImplementationSummary, ...]:
        """The implementations, the gravest first: by state, then by failures, known faults and warnings."""
        grave = (ItemVerdict.FAIL, ItemVerdict.KNOWN, ItemVerdict.WARN)
        return tuple(
            sorted(
                self.implementations,
                key=lambda one: (STATES.index(one.state), *(-one.tally.verdicts[verdict] for verdict in grave)),
            )
        )

    @cached_property
    def family_verdicts(self) -> dict[str, Counter[str]]:
        """Verdicts of each family, over all implementations."""
        verdicts: dict[str, Counter[str]] = {family: Counter() for family in self.families}
        for implementation in self.implementations:
            for family, tally in implementation.families.items():
                verdicts[family] += tally.verdicts
        return verdicts

    @cached_property
    def cases_by_clause(self) -> Counter[str]:
        """How many cases test each clause."""
        return Counter(clause for case in self.infos.values() for clause in case.clauses)

    def unsupported(self, case: str) -> dict[str, list[str]]:
        """Implementations that do not support a case, by the reason."""
        reasons: dict[str, list[str]] = {}
        for name, entry in self.cases[case].items():
            if entry.item.verdict == ItemVerdict.UNSUPPORTED:
                reasons.setdefault(entry.why, []).append(name)
        return reasons

    def case_tally(self, case: str) -> Tally:
        """The tally of a case over all implementations."""
        return Tally.of(self.cases[case].values())

    @cached_property
    def notes(self) -> list[str]:
        """What a reader must know first: a file that was cut off, missing items, stale entries, what was reused."""
        notes = [*run_notes(self.results)]
        if not self.tally.judged:
            notes.append(_nothing(self.results.items))
        for one in self.implementations:
            if one.state == "short" and not one.interrupted:
                notes.append(f"{one.name}: too little was judged. {one.coverage.too_little}.")
        return notes

    @property
    def state(self) -> str:
        """The gravest state of any implementation."""
        states = {implementation.state for implementation in self.implementations}
        return next((state for state in STATES[:-1] if state in states), "absent")

    @property
    def headline(self) -> str:
        """The verdict on the whole matrix, with its symbol."""
        states = [implementation.state for implementation in self.implementations if implementation.state != "absent"]
        failing, known = states.count("fail"), states.count("known")
        count = counted(len(states), "implementation")
        if failing:
            only = next(implementation for implementation in self.implementations if implementation.state == "fail")
            if len(states) == 1:
                return f"✕ {only.name} {only.headline}" if only.tally.run else f"✕ {only.name} is {only.headline}"
            return f"✕ {failing} of {count} {'does' if failing == 1 else 'do'} not conform"
        if not states:
            return "– Nothing was judged"
        if stale := len(self.results.stale_faults):
            return f"✕ Nothing new fails, but {counted(stale, 'known-fault entry is', 'known-fault entries are')} stale"
        if cut := [one for one in self.implementations if one.interrupted]:
            return f"? {cut[0].name} {cut[0].headline}" if len(states) == 1 else "? Interrupted before all was judged"
        if short := [one.name for one in self.implementations if one.state == "short"]:
            return f"? {', '.join(short)}: too little was judged"
        but = _but(self.tally.verdicts)
        if known:
            return f"◆ Nothing new fails in {count}: {but}"
        who = (
            next(implementation.name for implementation in self.implementations if implementation.state != "absent")
            if len(states) == 1
            else count
        )
        declared = " as declared" * any(implementation.coverage.as_declared for implementation in self.implementations)
        return f"✓ {who} conform{'s' if len(states) == 1 else ''}{declared}{f', with {but}' if but else ''}"

    def problems(self, verdict: str) -> list[SharedProblem]:
        """Entries with a verdict, those that go wrong in the same way together, over all implementations."""
        return problems(
            verdict, (part for implementation in self.implementations for part in implementation.problems(verdict))
        )


def summarise(results: Results) -> Summary:
    """The summary of results.

    What was planned and never reported becomes an entry, unless the run was interrupted. Of an item that was reported
    twice the later one counts.
    """
    infos = {case.id: case for case in results.header.cases}
    items = {(item.implementation, item.case): item for item in results.items}
    for planned in () if results.interrupted else results.missing():
        implementation, case = split_id(planned)
        message = "planned, but never reported"
        items[implementation, case] = Item(
            implementation=implementation, case=case, outcome=MISSING, verdict=ItemVerdict.FAIL, message=message
        )
    cut_off = Counter(split_id(planned)[0] for planned in results.not_reported() if results.interrupted)
    by_implementation: dict[str, list[Entry]] = {name: [] for name in results.header.implementations}
    by_case: dict[str, dict[str, Entry]] = {case: {} for case in infos}
    judged = total = 0
    for (implementation, case), item in items.items():
        entry = Entry(item, infos[case], max(item.quantities, key=badness, default=None))
        by_implementation[implementation].append(entry)
        by_case[case][implementation] = entry
        judged += sum(quantity.judged for quantity in item.quantities)
        total += sum(quantity.total for quantity in item.quantities)
    environments = {environment.implementation: environment for environment in results.environments}
    used = {case.family for case in infos.values()}
    order = [clause.family for clause in results.header.clauses] + [case.family for case in infos.values()]
    families = tuple(family for family in dict.fromkeys(order) if family in used)
    return Summary(
        results=results,
        implementations=tuple(
            _implementation(name, environments.get(name), entries, families, coverage_in(results, name), cut_off[name])
            for name, entries in by_implementation.items()
        ),
        families=families,
        cases=by_case,
        clauses={clause.id: clause for clause in results.header.clauses},
        tally=Tally.of(entry for entries in by_implementation.values() for entry in entries),
        elements_total=total,
        elements_judged=judged,
        infos=infos,
    )


def _implementation(
    name: str,
    environment: Environment | None,
    entries: list[Entry],
    families: tuple[str, ...],
    coverage: Coverage,
    interrupted: int,
) -> ImplementationSummary:
    by_family: dict[str, list[Entry]] = {family: [] for family in families}
    for entry in entries:
        by_family[entry.case.family].append(entry)
    unknown = Environment(implementation=name, status="broken", message="it never said where it runs")
    return ImplementationSummary(
        name=name,
        environment=environment or unknown,
        entries=tuple(entries),
        by_family={family: tuple(members) for family, members in by_family.items() if members},
        families={family: Tally.of(members) for family, members in by_family.items() if members},
        tally=Tally.of(entries),
        coverage=coverage,
        interrupted=interrupted,
    )


def _nothing(items: Iterable[Item]) -> str:
    """Why nothing was judged: what most cases need and the implementation does not declare."""
    reasons = Counter(one_line(item.message) for item in items if item.outcome == UNSUPPORTED)
    if not reasons:
        return "Nothing was judged."
    most = ", ".join(f"{reason} ({counted(count, 'case')})" for reason, count in reasons.most_common(3))
    return f"Nothing was judged, because every case needs something that is not declared: {most}."
