"""The power of one case: by how much it catches the mistakes that its clauses forbid.

A case that claims a clause must be able to show that the clause is broken: it catches some deviation that breaks it,
clearly (`Catch.is_clear`). A test holds every case to that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from bn_conformance.cases.model import Case
from bn_conformance.mutation.bench import Bench, under_conventions
from bn_conformance.mutation.catch import Catch
from bn_reference.deviations import Deviation, catalogue

UNUSUAL_FAMILIES = frozenset({"NUM", "LAYOUT", "LAW"})
UNUSUAL_CLAUSES = {
    "FWD": (3, 4, 5),
    "STAT": (6,),
    "GRAD": (5,),
    "MASK": (4, 7, 8),
    "DTYPE": (2, 3, 5),
    "EDGE": (4, 5),
    "JIT": (2,),
    "STATE": (1, 2, 4, 5, 6, 8),
    "PURE": (2, 3, 5, 6, 8),
}
CIRCUMSTANCES = UNUSUAL_FAMILIES | {
    f"{family}-{number}" for family, numbers in UNUSUAL_CLAUSES.items() for number in numbers
}
"""Clauses and families that ask for what other clauses ask for, under unusual circumstances: a large mean, another
layout, a long sequence. Any deviation that makes a result wrong there breaks them."""


@dataclass(frozen=True)
class ClaimedClause:
    """A clause that a case claims to test.

    Attributes:
        clause: its id.
        caught: catches of the deviations that break it, the clearest last.
        missed: names of deviations that break it elsewhere and that this case does not catch.
        any_way: for a clause in `CIRCUMSTANCES` that none of its own deviations breaks clearly here, the clearest catch
            of any other deviation.
    """

    clause: str
    caught: tuple[Catch, ...]
    missed: tuple[str, ...]
    any_way: Catch | None = None

    @property
    def power(self) -> float:
        """The largest ratio; 0 where nothing that breaks the clause is caught."""
        catches = [*self.caught[-1:], *([self.any_way] if self.any_way else [])]
        return max((catch.ratio for catch in catches), default=0.0)


def is_circumstance(clause: str) -> bool:
    """Whether a clause asks for what other clauses ask for, under unusual circumstances."""
    return clause in CIRCUMSTANCES or clause.partition("-")[0] in CIRCUMSTANCES


def power_of(case: Case, thorough: bool = True) -> Iterator[ClaimedClause]:
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
        if not (caught and caught[-1].is_clear) and is_circumstance(clause):
            any_way = next(reversed(_caught(case, tuple(catalogue().values()), False, benches)), None)
        names = {catch.deviation for catch in caught}
        yield ClaimedClause(clause, caught, tuple(entry.name for entry in own if entry.name not in names), any_way)


@cache
def of_clause(clause: str) -> tuple[Deviation, ...]:
    """The deviations that break a clause, as the catalogue says."""
    return tuple(deviation for deviation in catalogue().values() if deviation.clause == clause)


def _caught(
    case: Case, deviations: Sequence[Deviation], thorough: bool, benches: dict[str, Bench]
) -> tuple[Catch, ...]:
    """The catches, the clearest last; unless thorough, no more after a clear one."""
    catches: list[Catch] = []
    for convention, group in under_conventions(deviations):
        bench = benches.setdefault(repr(convention), Bench(convention))  # which keeps the goldens of the case
        for catch in bench.catches(case, group):
            catches.append(catch)
            if catch.is_clear and not thorough:
                return _clearest_last(catches)
    return _clearest_last(catches)


def _clearest_last(catches: Sequence[Catch]) -> tuple[Catch, ...]:
    return tuple(sorted(catches, key=lambda catch: catch.ratio))
