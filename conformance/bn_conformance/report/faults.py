"""Entries that are no plain pass, in groups: the same thing gone wrong is told once.

A group is of one implementation; a fault is what several implementations have in common.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bn_conformance.outcomes import outcome_rank
from bn_conformance.report.entries import Entry
from bn_conformance.report.text import one_line

_DIGITS = re.compile(r"\d+")

Key = tuple[str, str, str]
"""What entries of a group have in common: outcome, clause and reason."""


def key(entry: Entry) -> Key:
    """Outcome, clause and reason of an entry.

    The reason is that of a known fault, a diagnosis, or a message, in which numbers do not count. Which of the
    quantities is worst does not count either: an unstable variance shows in all of them.
    """
    reason = entry.worst.diagnosis if entry.worst else _DIGITS.sub("#", one_line(entry.why))
    return entry.item.outcome, entry.clause, entry.item.known_fault or reason


@dataclass(frozen=True)
class Group:
    """Entries of one implementation that have the same verdict and key, the worst first."""

    implementation: str
    verdict: str
    key: Key
    entries: tuple[Entry, ...]

    @property
    def outcome(self) -> str:
        """The outcome of all entries."""
        return self.key[0]

    @property
    def clause(self) -> str:
        """The clause that decides for all entries."""
        return self.key[1]

    @property
    def example(self) -> Entry:
        """The worst entry."""
        return self.entries[0]

    @property
    def what(self) -> str:
        """What went wrong, see `what`."""
        return what(self.entries)


@dataclass(frozen=True)
class Fault:
    """Groups of several implementations with the same verdict and key."""

    verdict: str
    key: Key
    groups: tuple[Group, ...]

    @property
    def outcome(self) -> str:
        """The outcome of all entries."""
        return self.key[0]

    @property
    def clause(self) -> str:
        """The clause that decides for all entries."""
        return self.key[1]

    @property
    def count(self) -> int:
        """Number of entries."""
        return sum(len(group.entries) for group in self.groups)

    @property
    def example(self) -> Entry:
        """The worst entry of all."""
        return max((group.example for group in self.groups), key=lambda entry: entry.badness)

    @property
    def what(self) -> str:
        """What went wrong, see `what`."""
        return what(entry for group in self.groups for entry in group.entries)


def what(entries: Iterable[Entry]) -> str:
    """The quantities that are worst in the entries, the most frequent first; else the message of the first."""
    entries = tuple(entries)
    names = Counter(quantity_kind(entry.worst.name) for entry in entries if entry.worst)
    return ", ".join(name for name, _ in names.most_common()) or one_line(entries[0].why)


def quantity_kind(name: str) -> str:
    """What a quantity is, without the step that gave it: `running_var` of `step3.running_var`."""
    return name.rpartition(".")[2] or name


def grouped(implementation: str, verdict: str, entries: Iterable[Entry]) -> list[Group]:
    """Entries of a verdict in groups, the gravest first, then the largest."""
    found: dict[Key, list[Entry]] = {}
    for entry in entries:
        if entry.item.verdict == verdict:
            found.setdefault(key(entry), []).append(entry)
    groups = [
        Group(implementation, verdict, same, tuple(sorted(members, key=lambda one: one.badness, reverse=True)))
        for same, members in found.items()
    ]
    return sorted(groups, key=lambda group: (-outcome_rank(group.outcome), -len(group.entries)))


def faults(verdict: str, groups: Iterable[Group]) -> list[Fault]:
    """Groups put together over implementations, the gravest first, then the largest."""
    found: dict[Key, list[Group]] = {}
    for group in groups:
        found.setdefault(group.key, []).append(group)
    together = [Fault(verdict, same, tuple(members)) for same, members in found.items()]
    return sorted(together, key=lambda fault: (-outcome_rank(fault.outcome), -fault.count))
