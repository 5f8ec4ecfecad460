"""Items beside their cases, counted and put in groups."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isnan

from bn_conformance.outcomes import Verdict, outcome_rank
from bn_conformance.report.levels import KINDS, Kind, kind_of, worst
from bn_conformance.report.text import one_line
from bn_conformance.results import CaseInfo, Item, Quantity

_DIGITS = re.compile(r"\d+")


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
    """Names of the quantities, or the message where there are none."""
    entries: tuple[Entry, ...]

    @property
    def example(self) -> Entry:
        """The worst entry."""
        return self.entries[0]


def quantity_kind(name: str) -> str:
    """What a quantity is, without the step that gave it: `running_var` of `step3.running_var`."""
    return name.rpartition(".")[2] or name


def grouped(implementation: str, verdict: str, entries: Iterable[Entry]) -> list[Group]:
    """Entries of a verdict in groups, the gravest first, then the largest.

    One group has the same outcome, clause and reason: a known fault's reason, a diagnosis, or a message, where numbers
    within it do not count. Which of the quantities is worst does not count either: an unstable variance shows in all.
    """
    found: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        if entry.item.verdict == verdict:
            reason = entry.worst.diagnosis if entry.worst else _DIGITS.sub("#", one_line(entry.why))
            found.setdefault((entry.item.outcome, entry.clause, entry.item.known_fault or reason), []).append(entry)
    groups = []
    for (outcome, clause, _), members in found.items():
        members.sort(key=lambda one: one.badness, reverse=True)
        groups.append(Group(implementation, verdict, outcome, clause, _what(members), tuple(members)))
    return sorted(groups, key=lambda group: (-outcome_rank(group.outcome), -len(group.entries)))


def _what(entries: list[Entry]) -> str:
    """The quantities that are worst in the entries, the most frequent first; else the message of the first."""
    names = Counter(quantity_kind(entry.worst.name) for entry in entries if entry.worst)
    return ", ".join(name for name, _ in names.most_common()) or one_line(entries[0].why)
