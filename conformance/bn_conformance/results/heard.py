"""Under which clauses something was judged, and what was left out: by reason, with the MUST clauses it silences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from bn_conformance.results import outcomes
from bn_conformance.results.outcomes import SILENT
from bn_conformance.results.records import Item
from bn_conformance.text import one_line
from bn_reference.specification.clauses import clauses

OF_ONE_QUANTITY = frozenset(
    {"FWD-1", "EVAL-1", "GRAD-1", "GRAD-2", "GRAD-3", "GRAD-4", "STAT-1", "STAT-2"}
    | {"SECOND-1", "SECOND-2", "SECOND-3", "SECOND-4", "MASK-2", "MASK-3", "MASK-7"}
    | {"SAVED-1", "SAVED-2", "SAVED-3", "SYNC-1", "SYNC-2", "SYNC-3", "SYNC-4", "SYNC-7"}
)
"""Clauses that say what one quantity is: a case that lists one says nothing of it where that quantity is not judged."""

NO_BOUND = "no error bound means anything for some of their numbers"
"""The reason of all cases that are not judged for that: their own messages name the numbers."""


class HasClauses(Protocol):
    """A case."""

    @property
    def clauses(self) -> tuple[str, ...]:
        """Ids of the clauses that it tests."""


@dataclass(frozen=True)
class LeftOut:
    """Cases that were selected and not judged, for one reason.

    Attributes:
        reason: in the implementation's terms.
        cases: how many.
        declined: whether the implementation declined them, though what it declares covers them.
        clauses: MUST clauses of which nothing at all was judged, most of whose cases were left out for this reason.
    """

    reason: str
    cases: int
    declined: bool
    clauses: tuple[str, ...]


def clauses_heard(item: Item, of_case: tuple[str, ...]) -> set[str]:
    """The clauses under which something was judged in an item.

    Args:
        item: the item.
        of_case: clauses of its case.
    """
    judged = [quantity.clauses for quantity in item.quantities if quantity.outcome != outcomes.NOT_JUDGED]
    own = {listed[0] for listed in judged if listed}
    if item.verdict in SILENT:
        return own
    if not item.quantities:
        return set(of_case)
    return own | {clause for listed in judged for clause in listed[1:] if clause not in OF_ONE_QUANTITY}


def left_out_of(cases: Mapping[str, HasClauses], items: Collection[Item], heard: Counter[str]) -> tuple[LeftOut, ...]:
    """What was left out, the most frequent reason first.

    Args:
        cases: that were selected, by id.
        items: of one implementation.
        heard: how often something was judged under a clause.
    """
    counts = Counter(_why(item) for item in items if item.verdict in SILENT)
    unheard = _unheard(cases, items, heard)
    return tuple(
        LeftOut(reason, count, declined, tuple(clause for clause, why in unheard if why == (reason, declined)))
        for (reason, declined), count in counts.most_common()
    )


def _why(item: Item) -> tuple[str, bool]:
    reason = NO_BOUND if item.outcome == outcomes.NOT_JUDGED else one_line(item.message) or "no reason given"
    return reason, item.declined


def _unheard(
    cases: Mapping[str, HasClauses], items: Collection[Item], heard: Counter[str]
) -> list[tuple[str, tuple[str, bool]]]:
    """MUST clauses of which nothing was judged, in the order of SPEC.md, each with the reason of most of its cases."""
    reasons: dict[str, Counter[tuple[str, bool]]] = {}
    for item in items:
        for clause in cases[item.case].clauses if item.verdict in SILENT else ():
            reasons.setdefault(clause, Counter())[_why(item)] += 1
    must = (clause.id for clause in clauses().values() if clause.requirement == "MUST")
    return [
        (clause, reasons[clause].most_common(1)[0][0]) for clause in must if clause in reasons and not heard[clause]
    ]
