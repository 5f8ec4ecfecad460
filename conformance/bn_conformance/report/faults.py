"""Entries that are no plain pass, in groups: the same thing gone wrong is told once.

A group is of one implementation; a fault is what several implementations have in common.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bn_conformance.report.entries import Entry
from bn_conformance.results.outcomes import outcome_rank
from bn_conformance.text import one_line

_DIGITS = re.compile(r"\d+")

Key = tuple[str, str, str]
"""What entries of a group have in common: outcome, clause and reason."""


def key(entry: Entry) -> Key:
    """Outcome, clause and reason of an entry; of a known fault its reason alone, which is that of its entry.

    The reason is a message, in which numbers do not count. Which of the quantities is worst does not count either: an
    unstable variance shows in all of them.
    """
    if entry.item.known_fault:
        return "", "", entry.item.known_fault
    reason = "" if entry.worst else _DIGITS.sub("#", one_line(entry.why))
    return entry.item.outcome, entry.clause, reason


class _Alike:
    """What can be said of entries with the same key, the worst first."""

    entries: tuple[Entry, ...]

    @property
    def example(self) -> Entry:
        """The worst entry."""
        return self.entries[0]

    @property
    def outcome(self) -> str:
        """The outcome of the worst entry."""
        return self.example.item.outcome

    @property
    def clauses(self) -> list[str]:
        """The clauses that decide, the most frequent first."""
        return [clause for clause, _ in Counter(entry.clause for entry in self.entries if entry.clause).most_common()]

    @property
    def what(self) -> str:
        """The quantities that are worst, the most frequent first; else the message of the worst entry."""
        names = Counter(quantity_kind(entry.worst.name) for entry in self.entries if entry.worst)
        return ", ".join(name for name, _ in names.most_common()) or one_line(self.example.why)


@dataclass(frozen=True)
class Group(_Alike):
    """Entries of one implementation that have the same verdict and key, the worst first."""

    implementation: str
    verdict: str
    key: Key
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Fault(_Alike):
    """Groups of several implementations with the same verdict and key, and all their entries, the worst first."""

    verdict: str
    groups: tuple[Group, ...]
    entries: tuple[Entry, ...]


def _worst_first(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.badness, reverse=True))


def quantity_kind(name: str) -> str:
    """What a quantity is, without the step that gave it: `running_var` of `step3.running_var`."""
    return name.rpartition(".")[2] or name


def grouped(implementation: str, verdict: str, entries: Iterable[Entry]) -> list[Group]:
    """Entries of a verdict in groups, the gravest first, then the largest."""
    found: dict[Key, list[Entry]] = {}
    for entry in entries:
        if entry.item.verdict == verdict:
            found.setdefault(key(entry), []).append(entry)
    groups = [Group(implementation, verdict, same, _worst_first(members)) for same, members in found.items()]
    return sorted(groups, key=lambda group: (-outcome_rank(group.outcome), -len(group.entries)))


def faults(verdict: str, groups: Iterable[Group]) -> list[Fault]:
    """Groups put together over implementations, the gravest first, then the largest."""
    found: dict[Key, list[Group]] = {}
    for group in groups:
        found.setdefault(group.key, []).append(group)
    together = [
        Fault(verdict, tuple(members), _worst_first(entry for group in members for entry in group.entries))
        for members in found.values()
    ]
    return sorted(together, key=lambda fault: (-outcome_rank(fault.outcome), -len(fault.entries)))
