"""How much of the suite was asked of an implementation, how much was judged, and why not more.

A clause family is *claimed* where what the implementation declares covers at least one of its selected cases. Every
implementation claims what makes a layer of its modes batch normalisation (`core_of`). Of a claimed family something
must be judged: a number that got a level, or a refusal where one is allowed. Otherwise too little was judged, and the
implementation does not conform.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bn_conformance.adapter import Capabilities
from bn_conformance.cases.model import Case
from bn_conformance.report.legend import family_title
from bn_conformance.results import outcomes
from bn_conformance.results.outcomes import is_level
from bn_conformance.results.records import Item
from bn_conformance.text import counted, one_line

CORE = ("FWD", "STAT", "EVAL", "NUM")
"""Families that a whole layer claims: training forward, running statistics, inference, numerics."""


@dataclass(frozen=True, kw_only=True)
class FamilyCoverage:
    """The coverage of one clause family, in numbers of cases.

    Attributes:
        family: its name, such as `STAT`.
        title: what it is about.
        exist: cases that the suite has of it, large ones aside.
        selected: those that `cases` and `clauses` left.
        asked: of these, those that the implementation declares to cover and did not decline.
        judged: of these, those with a number that got a level, be it `wrong`.
        refused: raised a clear error where that is as good.
        not_judged: so ill-conditioned that no error bound means anything.
        failed: raised where a number was due, crashed, or took too long.
        unsupported: selected, but not declared, or declined by the implementation.
        claimed: whether the declaration covers a selected case, whatever the implementation declined after that, or
            the family is of the core and some of it was selected.
        reason: why most of the selected cases that were not judged were not; empty where all were.
    """

    family: str
    title: str
    exist: int
    selected: int
    asked: int
    judged: int
    refused: int
    not_judged: int
    failed: int
    unsupported: int
    claimed: bool
    reason: str

    @property
    def lacking(self) -> bool:
        """Whether the family was claimed and nothing of it was judged."""
        return self.claimed and not (self.judged or self.refused)


@dataclass(frozen=True)
class Coverage:
    """The coverage of an implementation.

    Attributes:
        families: the coverage of each clause family, in the order of the suite.
    """

    families: tuple[FamilyCoverage, ...]

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
    def lacking(self) -> tuple[str, ...]:
        """Claimed families of which nothing was judged: where there is one, too little was."""
        return tuple(family.family for family in self.families if family.lacking)

    def __str__(self) -> str:
        """The counts in a sentence."""
        counts = [f"{self.judged:,} judged"]
        for count, what in (
            (self.refused, "refused"),
            (self.not_judged, "not judged"),
            (self.asked - self.judged - self.refused - self.not_judged, "failed to run"),
        ):
            counts += [f"{count:,} {what}"] * bool(count)
        return f"{self.asked:,} of {counted(self.exist, 'case')} asked: {', '.join(counts)}"


def core_of(can: Capabilities) -> tuple[str, ...]:
    """The families that every implementation of these modes claims, whatever else it declares."""
    without = {"STAT"} if not can.statistics or "training" not in can.modes else set()
    without |= {"EVAL"} if "inference" not in can.modes else set()
    without |= {"FWD", "NUM"} if "training" not in can.modes else set()
    return tuple(name for name in CORE if name not in without)


def coverage_of(
    known: Mapping[str, Case], selected: Iterable[str], planned: set[str], items: Iterable[Item], core: Sequence[str]
) -> Coverage:
    """The coverage that items amount to.

    Args:
        known: the cases that the suite has, by id.
        selected: ids of those that were selected.
        planned: ids of those that the declaration covers.
        items: of one implementation, those that are not supported too.
        core: families that are claimed in any case.
    """
    chosen, by_case = set(selected), {item.case: item for item in items}
    families: dict[str, list[Case]] = {}
    for case in known.values():
        families.setdefault(case.family, []).append(case)
    return Coverage(
        tuple(_family(name, cases, chosen, planned, by_case, name in core) for name, cases in families.items())
    )


def _family(
    name: str, cases: list[Case], selected: set[str], planned: set[str], items: Mapping[str, Item], core: bool
) -> FamilyCoverage:
    own = [items[case.id] for case in cases if case.id in items]
    levels = sum(is_level(item.outcome) for item in own)
    count = Counter(item.outcome for item in own)
    selection = sum(case.id in selected for case in cases)
    asked = len(own) - count[outcomes.UNSUPPORTED]
    return FamilyCoverage(
        family=name,
        title=family_title(name),
        exist=len(cases),
        selected=selection,
        asked=asked,
        judged=levels,
        refused=count[outcomes.REFUSED],
        not_judged=count[outcomes.NOT_JUDGED],
        failed=asked - levels - count[outcomes.REFUSED] - count[outcomes.NOT_JUDGED],
        unsupported=count[outcomes.UNSUPPORTED],
        claimed=any(case.id in planned for case in cases) or (core and selection > 0),
        reason=_reason(own),
    )


def _reason(items: Iterable[Item]) -> str:
    """Why most of the items that were not judged were not."""
    silent = [item for item in items if not is_level(item.outcome) and item.outcome != outcomes.REFUSED]
    reasons = Counter(one_line(item.message) for item in silent if item.message)
    if not reasons:
        return ""
    reason, count = reasons.most_common(1)[0]
    return reason if count == len(silent) else f"{count} of {len(silent)}: {reason}"
