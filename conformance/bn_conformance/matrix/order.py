"""The order of cases in a check: what tells most for the least time comes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bn_conformance.cases.model import Case


def plain_first(cases: Sequence[Case]) -> list[Case]:
    """Cases in the order in which a check asks them.

    Plain ones come before sweeps, and long ones at the end of both. Of each clause family the small ones come first,
    and the families take turns, so that what is wrong with any part of a layer shows early.
    """
    turns, seen = dict[str, int](), Counter[tuple[bool, bool, str]]()
    for case in sorted(cases, key=lambda case: case.effort):
        part = case.sweep, case.long, case.family
        turns[case.id] = seen[part]
        seen[part] += 1
    return sorted(cases, key=lambda case: (case.sweep, case.long, turns[case.id]))
