"""The power of one case: by how much the mistakes that its clauses are there to catch exceed what it allows.

A case that claims a clause must be able to show that it is broken: some deviation of the catalogue that breaks it is
caught by more than `ROBUST` times what the loosest level allows. A test holds every case to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from bn_conformance.cases.model import Case
from bn_conformance.mutation.power import ROBUST, Bench, Catch, under_conventions
from bn_reference.deviations import Deviation, catalogue

CIRCUMSTANCES = (
    "FWD-3", "FWD-4", "FWD-5", "STAT-6", "GRAD-5", "MASK-4", "MASK-7", "MASK-8", "NUM", "DTYPE-2", "DTYPE-3", "DTYPE-5",
    "LAYOUT", "EDGE-4", "EDGE-5", "STATE-1", "STATE-2", "STATE-4", "STATE-5", "STATE-6", "PURE-2", "PURE-3", "PURE-5",
    "PURE-6", "LAW",
)  # fmt: skip
"""Clauses and families that ask for what other clauses say where something is unusual, such as a large mean, another
layout or a long sequence. Whatever makes a result wrong there breaks them."""


@dataclass(frozen=True)
class Claim:
    """A clause that a case claims to test.

    Attributes:
        clause: its id.
        caught: deviations that break it and that the case catches, the clearest last.
        missed: names of deviations that break it elsewhere, and that the case lets pass or does not meet.
        any_way: where none that is named after the clause is caught, the clearest of all others, for a clause in
            `CIRCUMSTANCES`.
    """

    clause: str
    caught: tuple[Catch, ...]
    missed: tuple[str, ...]
    any_way: Catch | None = None

    @property
    def power(self) -> float:
        """The largest ratio; 0 where nothing that breaks the clause is caught."""
        found = [*self.caught[-1:], *([self.any_way] if self.any_way else [])]
        return max((catch.ratio for catch in found), default=0.0)


def is_circumstance(clause: str) -> bool:
    """Whether a clause asks for what other clauses say."""
    return clause in CIRCUMSTANCES or clause.partition("-")[0] in CIRCUMSTANCES


def power_of(case: Case, thorough: bool = True) -> Iterator[Claim]:
    """The claims of a case, in its order.

    Args:
        case: one that the plain layer supports.
        thorough: try every deviation of a clause; otherwise stop at the first that is caught clearly.
    """
    benches: dict[str, Bench] = {}
    for clause in case.clauses:
        own = of_clause(clause)
        caught = _caught(case, own, thorough, benches)
        any_way = None
        if not (caught and caught[-1].ratio > ROBUST) and is_circumstance(clause):
            any_way = next(reversed(_caught(case, tuple(catalogue().values()), False, benches)), None)
        names = {catch.deviation for catch in caught}
        yield Claim(clause, caught, tuple(one.name for one in own if one.name not in names), any_way)


@cache
def of_clause(clause: str) -> tuple[Deviation, ...]:
    """The deviations that are named after a clause."""
    return tuple(one for one in catalogue().values() if one.clause == clause)


def _caught(
    case: Case, deviations: Sequence[Deviation], thorough: bool, benches: dict[str, Bench]
) -> tuple[Catch, ...]:
    found = []
    for convention, some in under_conventions(deviations):
        bench = benches.setdefault(repr(convention), Bench(convention))  # which keeps the goldens of the case
        for catch in bench.catches(case, some):
            found.append(catch)
            if catch.ratio > ROBUST and not thorough:
                return tuple(sorted(found, key=lambda one: one.ratio))
    return tuple(sorted(found, key=lambda one: one.ratio))
