"""An item beside its case, and counts of such entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, isnan

from bn_conformance.report.legend import (
    OUTCOME_KINDS,
    SIGNS,
    SILENT_KINDS,
    OutcomeKind,
    Sign,
    gravity,
    outcome_kind,
    sign,
)
from bn_conformance.results.outcomes import NOT_JUDGED, RIGHT, SILENT, UNSUPPORTED, WRONG, ItemVerdict, outcome_rank
from bn_conformance.results.records import CaseInfo, Item, Quantity


def badness(quantity: Quantity) -> tuple[int, float]:
    """A key that orders quantities from good to bad. A quantity that was not judged says nothing and comes first."""
    ratio = quantity.ratio
    if quantity.outcome == NOT_JUDGED:
        return -1, -1.0
    return outcome_rank(quantity.outcome), -1.0 if ratio is None else inf if isnan(ratio) else ratio


@dataclass(frozen=True)
class Entry:
    """An item beside its case and its worst quantity, if it has any."""

    item: Item
    case: CaseInfo
    worst: Quantity | None

    @property
    def kind(self) -> OutcomeKind:
        """The kind of the item's outcome."""
        return outcome_kind(self.item.outcome)

    @property
    def sign(self) -> Sign:
        """What shows the verdict."""
        return sign(self.item.verdict)

    @property
    def clause(self) -> str:
        """The id of the clause that decides: that of the worst quantity, else the first of the case.

        Where a wrong result is no failure, it is the clause of the case that says so (SHOULD).
        """
        if self.item.verdict == ItemVerdict.WARN.value and self.item.outcome == WRONG:
            return self.case.clauses[0] if self.case.clauses else ""
        clauses = (self.worst.clauses if self.worst else ()) or self.case.clauses
        return clauses[0] if clauses else ""

    @property
    def why(self) -> str:
        """The message of the item or of its worst quantity; empty where there is none."""
        return self.item.message or (self.worst.message if self.worst else "")

    @property
    def badness(self) -> tuple[int, float]:
        """A key that orders entries from good to bad."""
        return outcome_rank(self.item.outcome), badness(self.worst)[1] if self.worst else -1.0


DEPTHS = (0.02, 0.1)
"""Shares of known faults from which their colour is deeper, so that few and many look unlike."""


@dataclass(frozen=True)
class Tally:
    """Counts of entries by verdict and by kind of outcome, and the gravest of them.

    Attributes:
        verdicts: entries by verdict.
        kinds: entries by kind of outcome.
        worst: gravest outcome among those with the gravest verdict.
        verdict: gravest verdict.
        signs: entries by sign, the gravest first.
    """

    verdicts: Counter[str]
    kinds: Counter[str]
    worst: str
    verdict: str
    signs: Mapping[Sign, int]

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Tally:
        """The tally of entries."""
        items = [entry.item for entry in entries]
        pairs = ((item.outcome, item.verdict) for item in items)
        outcome, verdict = max(pairs, key=lambda pair: gravity(*pair), default=(UNSUPPORTED, ItemVerdict.UNSUPPORTED))
        kinds = Counter(outcome_kind(item.outcome).name for item in items)
        signs = Counter(sign(item.verdict) for item in items)
        shown = {one: signs[one] for one in SIGNS if signs[one]}
        return cls(Counter(item.verdict for item in items), kinds, outcome, verdict, shown)

    @property
    def total(self) -> int:
        """Number of entries."""
        return self.verdicts.total()

    @property
    def run(self) -> int:
        """Number of entries that were run: all but the unsupported, and those that were not asked."""
        return self.total - self.verdicts[ItemVerdict.UNSUPPORTED] - self.verdicts[ItemVerdict.NOT_ASKED]

    @property
    def judged(self) -> int:
        """Number of entries that were run and judged."""
        return self.run - self.verdicts[ItemVerdict.NOT_JUDGED]

    @property
    def kind(self) -> OutcomeKind:
        """OutcomeKind of the gravest outcome."""
        return outcome_kind(self.worst)

    @property
    def sign(self) -> Sign:
        """What shows the gravest verdict."""
        return sign(self.verdict)

    @property
    def counted_verdicts(self) -> list[ItemVerdict]:
        """The verdicts of which a table has counts: all, but `not-asked` only where a check left something out."""
        return [verdict for verdict in ItemVerdict if verdict is not ItemVerdict.NOT_ASKED or self.verdicts[verdict]]

    @property
    def at_worst(self) -> int | None:
        """How many entries have the gravest verdict; None where nothing is wrong, or nothing was judged."""
        return None if self.verdict in (*RIGHT, *SILENT) else self.verdicts[ItemVerdict(self.verdict)]

    @property
    def depth(self) -> int:
        """How deep the colour of known faults is, from 1: by their share of what was run."""
        known = self.verdicts[ItemVerdict.KNOWN]
        return 1 + sum(known >= share * self.run for share in DEPTHS)

    @property
    def counts(self) -> list[tuple[OutcomeKind, int]]:
        """Kinds that occur, worst first, with their counts; what was not judged or is not supported comes last."""
        order = (*reversed(OUTCOME_KINDS[:-SILENT_KINDS]), *OUTCOME_KINDS[-SILENT_KINDS:])
        return [(kind, self.kinds[kind.name]) for kind in order if self.kinds[kind.name]]
