"""Outcomes and verdicts: the words in which a result is stated.

A *level* says which algorithm explains the error of a number (BOUNDS.md); an *outcome* is a level or says why there is
none; a *verdict* is what the outcome means for the run.
"""

from __future__ import annotations

import re
from enum import StrEnum

EXACT = "exact"
TIGHT_LEVEL = "tight"
STABLE_LEVEL = "stable"
WRONG = "wrong"
NOT_JUDGED = "not-judged"
UNSUPPORTED = "unsupported"
NOT_ASKED = "not-asked"
REFUSED = "refused"
ERRORED = "errored"
CRASHED = "crashed"
TIMED_OUT = "timed-out"
NO_REFUSAL = "an error here is no refusal: the operation that raised was not given the input that may be refused"
"""What is said beside the error of a layer where a clause allows one, and this is not it."""

NOT_ASKED_BECAUSE = "more sizes and tours, not asked, since failures were found without them"
"""Why a check does not ask a case of its later stage."""

OUTSIDE_SAMPLE = "more like cases, not asked, since a sample of them is"
"""Why a check does not ask a case that neither of its stages has."""

MISSING = "missing"

_DEGRADED = re.compile(r"degraded\(([a-z-]+)\)")


def degraded(name: str) -> str:
    """The level `degraded(name)`, where name says which unstable algorithm explains the error."""
    return f"degraded({name})"


_ORDER = {EXACT: 0, TIGHT_LEVEL: 1, STABLE_LEVEL: 2, WRONG: 4}


def is_level(outcome: str) -> bool:
    """Whether the outcome is a level, that is: a number was judged."""
    return outcome in _ORDER or _DEGRADED.fullmatch(outcome) is not None


def level_rank(outcome: str) -> int:
    """Position of a level from best (0, exact) to worst (4, wrong).

    Raises:
        ValueError: the outcome is not a level.
    """
    if not is_level(outcome):
        raise ValueError(f"{outcome!r} is not a level")
    return _ORDER.get(outcome, 3)


class Threshold(StrEnum):
    """The worst level that does not fail a run (`--level`); the default tolerates `degraded` with a warning."""

    TIGHT = "tight"
    STABLE = "stable"
    DEGRADED = "degraded"

    def tolerates(self, level: str) -> bool:
        """Whether the level is on the good side of the line."""
        return level_rank(level) <= {"tight": 1, "stable": 2, "degraded": 3}[self.value]


class ItemVerdict(StrEnum):
    """What an item means for the run; only `FAIL` makes `bnconform run` exit with 1.

    Only `PASS` is a pass. A permitted refusal, and what no bound can judge, are counted apart from it.
    """

    PASS = "pass"
    REFUSED = "refused"
    WARN = "warn"
    FAIL = "fail"
    KNOWN = "known-fault"
    NOT_JUDGED = "not-judged"
    UNSUPPORTED = "unsupported"
    NOT_ASKED = "not-asked"


RIGHT = (ItemVerdict.PASS, ItemVerdict.REFUSED)
"""Verdicts of items that were judged, with nothing to say against them."""

SILENT = (ItemVerdict.NOT_JUDGED, ItemVerdict.UNSUPPORTED, ItemVerdict.NOT_ASKED)
"""Verdicts of items of which nothing was judged, so that they say nothing of the implementation."""


def verdict_as_counted(verdict: str, outcome: str) -> str:
    """The verdict of an item whose file may be old: there, such items are among those that pass.

    Raises:
        ValueError: there is no such verdict.
    """
    apart = {REFUSED: ItemVerdict.REFUSED, NOT_JUDGED: ItemVerdict.NOT_JUDGED}
    known = ItemVerdict(verdict)
    return (apart.get(outcome, known) if known is ItemVerdict.PASS else known).value


_OUTCOME_ORDER = (
    NOT_ASKED,
    UNSUPPORTED,
    EXACT,
    REFUSED,
    TIGHT_LEVEL,
    STABLE_LEVEL,
    NOT_JUDGED,
    "degraded",
    WRONG,
    ERRORED,
    TIMED_OUT,
    CRASHED,
    MISSING,
)


def outcome_rank(outcome: str) -> int:
    """Position of any outcome from harmless to grave, to name the worst of several."""
    return _OUTCOME_ORDER.index("degraded" if _DEGRADED.fullmatch(outcome) else outcome)
