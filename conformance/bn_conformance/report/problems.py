"""What goes wrong in the same way, told once.

Entries have the same *problem* if they share verdict, outcome, clause and reason; errors may share one under different
clauses. An `ImplementationProblem` holds those of one implementation; a `Problem` holds what several implementations
have in common.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bn_conformance.report.entries import Entry
from bn_conformance.report.legend import readable
from bn_conformance.report.quantity_text import names
from bn_conformance.results.outcomes import NO_REFUSAL, is_level, outcome_rank
from bn_conformance.text import one_line

_DIGITS = re.compile(r"\d+")
_SIZES = re.compile(r"#(?:, #)+")

MOST_CLAUSES = 4
"""Clauses that a sentence names: an error has those of all its cases."""

Key = tuple[str, str, str]
"""What entries with the same problem have in common: outcome, clause and reason."""


def key(entry: Entry) -> Key:
    """Outcome, clause and reason of an entry; of an error no clause; of a known fault its reason alone.

    Which clause a case is about does not count where there is no result that could break it. The reason is a message
    without its numbers, so that two shapes give one problem. Which quantity is worst does not count either: an unstable
    variance shows in all of them.
    """
    if entry.item.known_fault:
        return "", "", entry.item.known_fault
    why = one_line(entry.why).removesuffix(f" ({NO_REFUSAL})")
    reason = "" if entry.worst else _SIZES.sub("#", _DIGITS.sub("#", why))
    no_result = reason and not is_level(entry.item.outcome)
    return entry.item.outcome, "" if no_result else entry.clause, reason


class _Alike:
    """Entries with the same problem, the worst first, and what can be said of all of them."""

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
    def quantities(self) -> list[str]:
        """The quantities that are worst in some entry, the most frequent first; none where only a message tells it."""
        names = Counter(quantity_kind(entry.worst.name) for entry in self.entries if entry.worst)
        return [name for name, _ in names.most_common()]

    @property
    def what(self) -> str:
        """The worst quantities; without any, the message of the worst entry."""
        return ", ".join(self.quantities) or one_line(self.example.why)

    @property
    def outcome_in_words(self) -> str:
        """The outcome of the worst entry, as a person reads it."""
        return readable(self.outcome)

    @property
    def sentence(self) -> str:
        """What is wrong, and under which clause: `y is wrong, clause FWD-1`, `errored, clause EDGE-2: ValueError`."""
        outcome = self.outcome_in_words
        named = ", ".join(self.clauses[:MOST_CLAUSES])
        more = f" and {len(self.clauses) - MOST_CLAUSES} more" if len(self.clauses) > MOST_CLAUSES else ""
        clauses = f", {'clause' if len(self.clauses) == 1 else 'clauses'} {named}{more}" if self.clauses else ""
        if not self.quantities:
            return f"{outcome}{clauses}: {self.what}" if self.what else f"{outcome}{clauses}"
        return f"{names(self.quantities)} {outcome}{clauses}"


@dataclass(frozen=True)
class ImplementationProblem(_Alike):
    """Entries of one implementation with the same verdict and key, the worst first."""

    implementation: str
    verdict: str
    key: Key
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class SharedProblem(_Alike):
    """The same problem of several implementations, and all its entries, the worst first."""

    verdict: str
    parts: tuple[ImplementationProblem, ...]
    entries: tuple[Entry, ...]


def _worst_first(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.badness, reverse=True))


def quantity_kind(name: str) -> str:
    """What a quantity is, without the step that gave it: `running_var` of `step3.running_var`."""
    return name.rpartition(".")[2] or name


def implementation_problems(implementation: str, verdict: str, entries: Iterable[Entry]) -> list[ImplementationProblem]:
    """The problems of one implementation under a verdict, the gravest first, then the most frequent."""
    members: dict[Key, list[Entry]] = {}
    for entry in entries:
        if entry.item.verdict == verdict:
            members.setdefault(key(entry), []).append(entry)
    return sorted(
        (ImplementationProblem(implementation, verdict, same, _worst_first(alike)) for same, alike in members.items()),
        key=_gravest_first,
    )


def problems(verdict: str, parts: Iterable[ImplementationProblem]) -> list[SharedProblem]:
    """Problems put together over implementations: first the one that most entries have, then by gravity and frequency.

    One cause of most of what goes wrong is the first thing to mend, whatever else there is.
    """
    members: dict[Key, list[ImplementationProblem]] = {}
    for part in parts:
        members.setdefault(part.key, []).append(part)
    together = (
        SharedProblem(verdict, tuple(alike), _worst_first(entry for part in alike for entry in part.entries))
        for alike in members.values()
    )
    ordered = sorted(together, key=_gravest_first)
    half = sum(len(problem.entries) for problem in ordered) / 2
    return sorted(ordered, key=lambda problem: len(problem.entries) <= half)


def _gravest_first(problem: _Alike) -> tuple[int, int]:
    return -outcome_rank(problem.outcome), -len(problem.entries)
