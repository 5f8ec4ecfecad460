"""How much was asked of an implementation, how much was judged, and whether that is enough.

The rule is in SPEC.md, Enough to conform.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, Protocol

from bn_conformance.options import EVERY_CASE
from bn_conformance.results import outcomes
from bn_conformance.results.file import Results
from bn_conformance.results.heard import LeftOut, clauses_heard, left_out_of
from bn_conformance.results.outcomes import is_level
from bn_conformance.results.records import Item, split_id
from bn_conformance.text import counted, one_line
from bn_reference.specification.clauses import families
from bn_reference.specification.enough import SHARE, Minimum, minimums

MOST_TOLD = 3
"""Families of which is told why too little of them was judged."""


class Selected(Protocol):
    """What must be known of a selected case."""

    @property
    def family(self) -> str:
        """Its family."""

    @property
    def clauses(self) -> tuple[str, ...]:
        """Ids of the clauses that it tests."""


@dataclass(frozen=True, kw_only=True)
class FamilyCoverage:
    """The coverage of one clause family, in numbers of cases.

    Attributes:
        family: its name, such as `STAT`.
        title: what it is about.
        exist: cases that the suite has of it, large ones aside.
        selected: those that `cases` and `clauses` left.
        covered: of these, those that what the implementation declares covers.
        asked: of these, those that it did not decline.
        judged: of these, those with a number that got a level, be it `wrong`.
        refused: raised a clear error where that is as good.
        not_judged: so ill-conditioned that no error bound means anything.
        failed: raised where a number was due, crashed, or took too long.
        unsupported: selected, but not declared, or declined by the implementation.
        not_asked: covered, but not asked: outside the sample of a check, or failures were found without them.
        claimed: whether the declaration covers a selected case, or makes a claim that SPEC.md lists, of which some was
            selected.
        reason: why most of the selected cases that were not judged were not; empty where all were.
        short: why too little of a claimed family was judged; empty where it was enough, or where cases were not asked
            since failures were found without them: it does not conform then.
    """

    family: str
    title: str
    exist: int
    selected: int
    covered: int
    asked: int
    judged: int
    refused: int
    not_judged: int
    failed: int
    unsupported: int
    not_asked: int
    claimed: bool
    reason: str
    short: str

    @property
    def lacking(self) -> bool:
        """Whether the family was claimed and too little of it was judged."""
        return bool(self.short)


@dataclass(frozen=True)
class Coverage:
    """The coverage of an implementation.

    Attributes:
        families: the coverage of each clause family, in the order of the suite.
        left_out: what was selected and not judged, by reason, the most frequent first.
    """

    families: tuple[FamilyCoverage, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def exist(self) -> int:
        """Cases that the suite has."""
        return sum(family.exist for family in self.families)

    @property
    def asked(self) -> int:
        """Cases that were asked of the implementation."""
        return sum(family.asked for family in self.families)

    @property
    def judged(self) -> int:
        """Cases with a number that got a level."""
        return sum(family.judged for family in self.families)

    @property
    def refused(self) -> int:
        """Cases that were refused where that is as good."""
        return sum(family.refused for family in self.families)

    @property
    def not_judged(self) -> int:
        """Cases for which no error bound means anything."""
        return sum(family.not_judged for family in self.families)

    @property
    def unsupported(self) -> int:
        """Selected cases that the implementation does not support."""
        return sum(family.unsupported for family in self.families)

    @property
    def not_asked(self) -> int:
        """Cases that were not asked, since failures were found without them."""
        return sum(family.not_asked for family in self.families)

    @property
    def lacking(self) -> tuple[str, ...]:
        """Claimed families of which too little was judged."""
        return tuple(family.family for family in self.families if family.lacking)

    @property
    def too_little(self) -> str:
        """Why too little was judged, for the first families; empty where it was enough."""
        short = [f"{family.family}: {family.short}" for family in self.families if family.lacking]
        rest = short[MOST_TOLD:]
        return "; ".join([*short[:MOST_TOLD], *[f"and so of {len(rest)} more"] * bool(rest)])

    @property
    def as_declared(self) -> bool:
        """Whether cases were left out because of what the implementation declares or declines."""
        return self.unsupported > 0

    @property
    def unheard(self) -> tuple[str, ...]:
        """MUST clauses that were selected and of which nothing was judged."""
        return tuple(clause for part in self.left_out for clause in part.clauses)

    def __str__(self) -> str:
        """The counts in a sentence."""
        counts = [f"{self.judged:,} judged"]
        for count, what in (
            (self.refused, "refused"),
            (self.not_judged, "not judged"),
            (self.asked - self.judged - self.refused - self.not_judged, "failed to run"),
        ):
            counts += [f"{count:,} {what}"] * bool(count)
        rest = f"; {self.not_asked:,} not asked" * bool(self.not_asked)
        return f"{self.asked:,} of {counted(self.exist, 'case')} asked: {', '.join(counts)}{rest}"


def coverage_in(results: Results, name: str, exist: Mapping[str, int] | None = None) -> Coverage:
    """The coverage of one implementation of a run.

    Args:
        results: of the run.
        name: of the implementation.
        exist: cases that the suite has of each family; None where only the selected ones are known.
    """
    header = results.header
    declared = [record.capabilities for record in results.environments if record.implementation == name]
    items = [item for item in results.items if item.implementation == name]
    planned = {case for implementation, case in map(split_id, header.planned) if implementation == name}
    cases = {case.id: case for case in header.cases if case.id in planned}  # others were deselected, or are elsewhere
    chosen = any(header.options.get(option) for option in ("clauses", "regressions", "shard"))
    patterns = header.options.get("cases") or (EVERY_CASE,)
    whole = not chosen and EVERY_CASE in patterns and len(items) >= len(header.cases)
    items = [item for item in items if item.case in cases]
    return coverage_of(cases, items, declared[0] if declared else {}, whole=whole, exist=exist)


def coverage_of(
    cases: Mapping[str, Selected],
    items: Iterable[Item],
    capabilities: Mapping[str, Any],
    *,
    whole: bool,
    exist: Mapping[str, int] | None = None,
) -> Coverage:
    """The coverage that items amount to.

    Args:
        cases: that were selected, by id.
        items: of one implementation, those that it does not support too.
        capabilities: that it declares, as plain data.
        whole: whether all cases of the suite were selected.
        exist: cases that the suite has of each family; None where only the selected ones are known.
    """
    by_case = {item.case: item for item in items}
    heard = Counter(clause for item in by_case.values() for clause in clauses_heard(item, cases[item.case].clauses))
    members: dict[str, list[str]] = {family: [] for family in exist or ()}
    for case_id, case in cases.items():
        members.setdefault(case.family, []).append(case_id)
    claims = [claim for claim in minimums() if claim.claimed(capabilities)]
    all_asked = not any(item.message == outcomes.NOT_ASKED_BECAUSE for item in by_case.values())
    rows = []
    for family, ids in members.items():
        own = [by_case[case_id] for case_id in ids if case_id in by_case]
        counts = _counts(own)
        mine = [claim for claim in claims if claim.family == family and ids]
        claimed = bool(mine) or counts["covered"] > 0
        row = FamilyCoverage(
            family=family,
            title=families().get(family, ""),
            exist=(exist or {}).get(family, len(ids)),
            selected=len(ids),
            claimed=claimed,
            reason=_reason(own),
            short=_short(counts, mine, heard, whole) if claimed and all_asked else "",
            **counts,
        )
        rows.append(row)
    return Coverage(tuple(rows), left_out_of(cases, by_case.values(), heard))


def _counts(items: Collection[Item]) -> dict[str, int]:
    found = Counter(item.outcome for item in items)
    levels = sum(is_level(item.outcome) for item in items)
    declined = sum(item.declined for item in items)
    asked = len(items) - found[outcomes.UNSUPPORTED] - found[outcomes.NOT_ASKED]
    return {
        "covered": asked + declined + found[outcomes.NOT_ASKED],
        "asked": asked,
        "judged": levels,
        "refused": found[outcomes.REFUSED],
        "not_judged": found[outcomes.NOT_JUDGED],
        "failed": asked - levels - found[outcomes.REFUSED] - found[outcomes.NOT_JUDGED],
        "unsupported": found[outcomes.UNSUPPORTED],
        "not_asked": found[outcomes.NOT_ASKED],
    }


def _short(counts: Mapping[str, int], claims: Collection[Minimum], heard: Counter[str], whole: bool) -> str:
    """Why too little of a claimed family was judged; empty where it was enough. What failed to run was judged."""
    judged = counts["judged"] + counts["refused"] + counts["failed"]
    asked = counts["covered"] - counts["not_asked"]
    needed = ceil(SHARE * asked)
    if judged < needed:
        return f"{judged:,} of {counted(asked, 'case')} that its declaration covers were judged, and {needed:,} must be"
    for claim in claims:
        least = claim.cases if whole else 1
        if heard[claim.clause] < least and (whole or not judged):
            found = counted(heard[claim.clause], "case") if heard[claim.clause] else "no case"
            return f"{claim.clause} was judged in {found}, and must be in {least:,}"
    return ""


def _reason(items: Iterable[Item]) -> str:
    """Why most of the items that were not judged were not."""
    silent = [item for item in items if not is_level(item.outcome) and item.outcome != outcomes.REFUSED]
    reasons = Counter(one_line(item.message) for item in silent if item.message)
    if not reasons:
        return ""
    reason, count = reasons.most_common(1)[0]
    return reason if count == len(silent) else f"{count} of {len(silent)}: {reason}"
