"""Results as reports need them: per implementation and family, with faults in groups. Linear in the items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from heapq import nlargest
from math import inf, isnan

from bn_conformance.outcomes import MISSING, Verdict, outcome_rank
from bn_conformance.report.levels import KINDS, Kind, kind_of, worst
from bn_conformance.report.text import counted, one_line
from bn_conformance.results import CaseInfo, ClauseInfo, Environment, Item, Quantity, Results, split_id


def badness(quantity: Quantity) -> tuple[int, float]:
    """A key that orders quantities from good to bad."""
    ratio = quantity.ratio
    return outcome_rank(quantity.outcome), -1.0 if ratio is None else inf if isnan(ratio) else ratio


@dataclass(frozen=True)
class Entry:
    """An item beside its case and its worst quantity, if it has any."""

    item: Item
    case: CaseInfo
    worst: Quantity | None

    @property
    def kind(self) -> Kind:
        """The kind of the item's outcome."""
        return kind_of(self.item.outcome)

    @property
    def clause(self) -> str:
        """The id of the clause that decides: that of the worst quantity, else the first of the case."""
        clauses = (self.worst.clauses if self.worst else ()) or self.case.clauses
        return clauses[0] if clauses else ""

    @property
    def why(self) -> str:
        """What is to be said of it in a sentence, which may be nothing."""
        return self.item.message or (self.worst.message if self.worst else "")

    @property
    def badness(self) -> tuple[int, float]:
        """A key that orders entries from good to bad."""
        return outcome_rank(self.item.outcome), badness(self.worst)[1] if self.worst else -1.0


@dataclass(frozen=True)
class Tally:
    """Counts of entries by verdict and by kind of outcome, and the worst of them."""

    verdicts: Counter[str]
    kinds: Counter[str]
    worst: str | None
    """Gravest outcome."""
    known: bool
    """Whether all entries with the gravest outcome are known faults."""

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Tally:
        """The tally of entries."""
        items = [entry.item for entry in entries]
        gravest = worst([item.outcome for item in items])
        at_worst = [item.verdict for item in items if item.outcome == gravest]
        return cls(
            Counter(item.verdict for item in items),
            Counter(kind_of(item.outcome).name for item in items),
            gravest,
            bool(at_worst) and all(verdict == Verdict.KNOWN for verdict in at_worst),
        )

    @property
    def total(self) -> int:
        """Number of entries."""
        return self.verdicts.total()

    @property
    def kind(self) -> Kind | None:
        """Kind of the gravest outcome."""
        return kind_of(self.worst) if self.worst else None

    @property
    def counts(self) -> list[tuple[Kind, int]]:
        """Kinds that occur, worst first, with their counts; what was not judged or is not supported comes last."""
        order = (*reversed(KINDS[:-2]), *KINDS[-2:])
        return [(kind, self.kinds[kind.name]) for kind in order if self.kinds[kind.name]]


@dataclass(frozen=True)
class Group:
    """Entries of one implementation that have the same verdict for what seems the same reason, the worst first."""

    implementation: str
    verdict: str
    outcome: str
    clause: str
    what: str
    """Name of the quantity, or the message where there is none."""
    entries: tuple[Entry, ...]

    @property
    def example(self) -> Entry:
        """The worst entry."""
        return self.entries[0]


@dataclass(frozen=True)
class Implementation:
    """All that is known of one implementation."""

    name: str
    environment: Environment
    entries: tuple[Entry, ...]
    families: Mapping[str, Tally]
    tally: Tally

    @property
    def state(self) -> str:
        """`ok`, `warn`, `known`, `fail` or `absent`."""
        verdicts = self.tally.verdicts
        if verdicts[Verdict.FAIL] or self.environment.status == "broken":
            return "fail"
        if not verdicts.total() - verdicts[Verdict.UNSUPPORTED]:
            return "absent"
        return "known" if verdicts[Verdict.KNOWN] else "warn" if verdicts[Verdict.WARN] else "ok"

    @property
    def symbol(self) -> str:
        """The state as a symbol."""
        return {"ok": "✓", "warn": "▲", "known": "◆", "fail": "✕", "absent": "–"}[self.state]

    @property
    def headline(self) -> str:
        """The verdict in words."""
        verdicts, status = self.tally.verdicts, self.environment.status
        if status != "ok" and not verdicts.total():
            return "broken" if status == "broken" else "not installed"
        if verdicts[Verdict.FAIL]:
            return f"does not conform: {counted(verdicts[Verdict.FAIL], 'case')} of {self.tally.total:,} fail"
        if self.state in ("absent", "fail"):
            return "broken" if status == "broken" else "nothing was judged"
        known, warned = verdicts[Verdict.KNOWN], verdicts[Verdict.WARN]
        but = [counted(known, "known fault")] * bool(known) + [counted(warned, "warning")] * bool(warned)
        return f"conforms, with {' and '.join(but)}" if but else "conforms"

    @cached_property
    def by_family(self) -> dict[str, list[Entry]]:
        """Entries by family, in the order of `families`."""
        found: dict[str, list[Entry]] = {family: [] for family in self.families}
        for entry in self.entries:
            found[entry.case.family].append(entry)
        return found

    @property
    def worst_passing(self) -> list[Entry]:
        """The five passing entries with the largest ratios."""
        judged = (entry for entry in self.entries if entry.worst and entry.worst.ratio)
        return nlargest(
            5, (entry for entry in judged if entry.item.verdict == Verdict.PASS), key=lambda one: one.badness
        )

    @property
    def unsupported(self) -> list[tuple[str, int]]:
        """Reasons why cases are not supported, with their counts, the most frequent first."""
        return Counter(one.why for one in self.entries if one.item.verdict == Verdict.UNSUPPORTED).most_common()

    def groups(self, verdict: str) -> list[Group]:
        """Entries of a verdict in groups, the gravest first, then the largest."""
        found: dict[tuple[str, str, str], list[Entry]] = {}
        for entry in self.entries:
            if entry.item.verdict == verdict:
                reason = entry.item.known_fault or (
                    quantity_kind(entry.worst.name) if entry.worst else one_line(entry.why)
                )
                found.setdefault((entry.item.outcome, entry.clause, reason), []).append(entry)
        groups = [
            Group(
                self.name,
                verdict,
                outcome,
                clause,
                what,
                tuple(sorted(entries, key=lambda one: one.badness, reverse=True)),
            )
            for (outcome, clause, what), entries in found.items()
        ]
        return sorted(groups, key=lambda group: (-outcome_rank(group.outcome), -len(group.entries)))


def quantity_kind(name: str) -> str:
    """What a quantity is, without the step that gave it: `running_var` of `step3.running_var`."""
    return name.rpartition(".")[2] or name


@dataclass(frozen=True)
class Summary:
    """Results in the shape of reports."""

    results: Results
    implementations: tuple[Implementation, ...]
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
        found: dict[str, list[CaseInfo]] = {family: [] for family in self.families}
        for case in self.infos.values():
            found[case.family].append(case)
        return found

    @cached_property
    def family_verdicts(self) -> dict[str, Counter[str]]:
        """Verdicts of each family, over all implementations."""
        found: dict[str, Counter[str]] = {family: Counter() for family in self.families}
        for implementation in self.implementations:
            for family, tally in implementation.families.items():
                found[family] += tally.verdicts
        return found

    @cached_property
    def cases_by_clause(self) -> Counter[str]:
        """How many cases test each clause."""
        return Counter(clause for case in self.infos.values() for clause in case.clauses)

    def case_tally(self, case: str) -> Tally:
        """The tally of a case over all implementations."""
        return Tally.of(self.cases[case].values())

    @cached_property
    def notes(self) -> list[str]:
        """What a reader must know before believing anything: a file cut off, missing items, stale entries."""
        notes = []
        results = self.results
        if results.end is None:
            notes.append("The run did not come to its end: the results file was cut off. What it holds is shown.")
        elif results.end.message:
            notes.append(results.end.message)
        if missing := self.tally.kinds[MISSING]:
            notes.append(
                f"{counted(missing, 'planned item')} never reported. A worker may have crashed; run these again."
            )
        if results.stale_faults:
            stale = counted(len(results.stale_faults), "known-fault entry is", "known-fault entries are")
            notes.append(
                f"{stale} stale: what they excuse no longer happens, and the run fails until they are deleted."
            )
        if not self.tally.total - self.tally.verdicts[Verdict.UNSUPPORTED]:
            notes.append("Nothing was judged.")
        return notes

    @property
    def ok(self) -> bool:
        """Whether a run with these results is a success."""
        failed = self.tally.verdicts[Verdict.FAIL] or self.results.stale_faults or self.results.end is None
        return not failed and self.results.end is not None and self.results.end.exit_code == 0

    def groups(self, verdict: str) -> list[Group]:
        """Groups of all implementations."""
        return [group for implementation in self.implementations for group in implementation.groups(verdict)]


def summarise(results: Results) -> Summary:
    """The summary of results.

    What was planned and never reported becomes an entry; of an item that was reported twice the later one counts.
    """
    infos = {case.id: case for case in results.header.cases}
    items = {(item.implementation, item.case): item for item in results.items}
    for planned in results.missing():
        implementation, case = split_id(planned)
        message = "planned, but never reported"
        items[implementation, case] = Item(
            implementation=implementation, case=case, outcome=MISSING, verdict=Verdict.FAIL, message=message
        )
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
            _implementation(name, environments.get(name), entries) for name, entries in by_implementation.items()
        ),
        families=families,
        cases=by_case,
        clauses={clause.id: clause for clause in results.header.clauses},
        tally=Tally.of(entry for entries in by_implementation.values() for entry in entries),
        elements_total=total,
        elements_judged=judged,
        infos=infos,
    )


def _implementation(name: str, environment: Environment | None, entries: list[Entry]) -> Implementation:
    by_family: dict[str, list[Entry]] = {}
    for entry in entries:
        by_family.setdefault(entry.case.family, []).append(entry)
    unknown = Environment(implementation=name, status="broken", message="it never said where it runs")
    return Implementation(
        name=name,
        environment=environment or unknown,
        entries=tuple(entries),
        families={family: Tally.of(members) for family, members in by_family.items()},
        tally=Tally.of(entries),
    )
