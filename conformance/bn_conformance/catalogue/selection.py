"""Selection: the cases that clauses and patterns of ids name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.implementations.implementation import matches_pattern
from bn_conformance.text import did_you_mean
from bn_conformance.user_error import UserError
from bn_reference.specification.clauses import clauses, families


class SelectionError(UserError):
    """Clauses or patterns select nothing that exists; the message says what to do."""


def select_cases(wanted_clauses: Sequence[str], patterns: Sequence[str], more: Iterable[Case] = ()) -> list[str]:
    """Ids of the cases that test any of the clauses (`STAT-3`, or a family) and match any of the patterns.

    A large case is among them only where a pattern is meant for large cases, matching no other.

    Args:
        wanted_clauses: clauses or families; none for all.
        patterns: of ids; none for all.
        more: cases besides those of the matrix.

    Raises:
        SelectionError: a clause does not exist, a pattern matches nothing, or both together leave nothing.
    """
    known = all_cases() | {case.id: case for case in more}
    usual = [pattern for pattern in patterns if any(_case_matches(case_id, pattern) for case_id in known)]
    for pattern in patterns:
        if pattern not in usual:
            known |= {case_id: case for case_id, case in large_cases().items() if _case_matches(case_id, pattern)}
    for clause in wanted_clauses:
        if not any(clause in (existing.id, existing.family) for existing in clauses().values()):
            names = [*clauses(), *families()]
            hint = did_you_mean(clause, names, "bnconform list --clauses shows them")
            raise SelectionError(f"there is no clause {clause!r}{hint}")
    for pattern in patterns:
        if not any(_case_matches(case_id, pattern) for case_id in known):
            hint = did_you_mean(pattern.strip("*"), [*known, *_patterns(known)], "bnconform list --cases shows them")
            raise SelectionError(f"no case matches {pattern!r}{hint}")
    selected = [
        case.id
        for case in known.values()
        if (not wanted_clauses or any(clause in case.clauses or clause == case.family for clause in wanted_clauses))
        and (not patterns or any(_case_matches(case.id, pattern) for pattern in patterns))
    ]
    if not selected:
        raise SelectionError("no case matches both the clauses and the case patterns; drop one of them")
    return selected


def _patterns(case_ids: Iterable[str]) -> list[str]:
    """The patterns that people write: a family, and a family with a layout, a format or both."""
    patterns: dict[str, None] = {}
    for family, layout, dtype, *_ in (case_id.split("/") for case_id in case_ids if case_id.count("/") > 2):
        layout = layout.partition("-")[0]
        parts = (f"{family}/*", f"{family}/{layout}/*", f"{family}/*/{dtype}/*", f"{family}/{layout}/{dtype}/*")
        patterns.update(dict.fromkeys(parts))
    return list(patterns)


def _case_matches(case_id: str, pattern: str) -> bool:
    return case_id == pattern or matches_pattern(case_id, pattern)
