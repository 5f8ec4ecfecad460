"""The legend: what every outcome, verdict and family of clauses means, and the sign that shows it.

These tables are the only place that words the legend: the terminal, Markdown and HTML all show their rows. There are
five signs. Each has a symbol of its own, so that none depends on colour.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bn_conformance.results.outcomes import SILENT, ItemVerdict, outcome_rank
from bn_reference.specification.clauses import families


@dataclass(frozen=True)
class OutcomeKind:
    """A kind of outcome. All `degraded(ALGORITHM)` are one kind.

    Attributes:
        name: the outcome without what stands in brackets.
        meaning: one line of explanation.
    """

    name: str
    meaning: str


OUTCOME_KINDS = (
    OutcomeKind("exact", "every number is the correctly rounded result, bit for bit"),
    OutcomeKind("tight", "every error is within the bound of a direct, two-pass or updating algorithm"),
    OutcomeKind("stable", "an error is larger, but within the bound of a stable algorithm that rounds more"),
    OutcomeKind("refused", "it raised a clear error, which the clause allows or asks for"),
    OutcomeKind("degraded", "only an unstable algorithm explains the error; its name is given"),
    OutcomeKind(
        "wrong", "no algorithm that the suite knows explains the result, or there is one where an error is due"
    ),
    OutcomeKind("errored", "it raised an error where a result was due"),
    OutcomeKind("timed-out", "a call did not finish in time"),
    OutcomeKind("crashed", "the process ended during a call"),
    OutcomeKind("missing", "planned, but never reported: an error of the run"),
    OutcomeKind("not-judged", "too ill-conditioned: no error bound means anything for these numbers"),
    OutcomeKind("unsupported", "not run: the implementation does not declare what the case needs"),
    OutcomeKind("not-asked", "one of many like cases, sizes or tours that a check leaves out; --thorough asks it"),
)
"""Every kind of outcome, from best to worst, and last those that say nothing of the implementation."""

RUN_KINDS = OUTCOME_KINDS[:-2]
"""Those of what was run."""

SILENT_KINDS = 3
"""How many kinds at the end say nothing of the implementation."""

ALGORITHMS = {
    "raw-moments": "the variance is computed as E[x^2] - E[x]^2, which cancels where the mean is large",
    "sequential-sum": "a sum over many values is one running sum, whose error grows with their number",
    "overflow": "a square overflows, so that y is beta, NaN or infinite (NUM-4)",
    "inexact": "every step could be exact, and the error is of the few roundings that NUM-7 allows (NUM-6)",
    "storage-precision": "the arithmetic is done in the storage format, such as float16, not in a wider one",
}
"""The unstable algorithms that `degraded(ALGORITHM)` names."""

VERDICT_MEANINGS = {
    ItemVerdict.PASS: "conforms",
    ItemVerdict.REFUSED: "raised a clear error, which the clause allows or asks for; not counted as a pass",
    ItemVerdict.WARN: "does not fail the run: an unstable algorithm, or a clause that says SHOULD",
    ItemVerdict.FAIL: "does not conform",
    ItemVerdict.KNOWN: "fails, but is on the list of known faults, with a reason; does not fail the run",
    ItemVerdict.NOT_JUDGED: "no error bound means anything for some of its numbers; not counted as a pass",
    ItemVerdict.UNSUPPORTED: "not run: the implementation does not declare what the case needs",
    ItemVerdict.NOT_ASKED: "one of many like cases, sizes or tours that a check leaves out; --thorough asks it",
}
"""What each verdict means for the run."""

VERDICT_COUNTS = {
    ItemVerdict.PASS: "pass",
    ItemVerdict.REFUSED: "refused",
    ItemVerdict.WARN: "warn",
    ItemVerdict.FAIL: "fail",
    ItemVerdict.KNOWN: "known faults",
    ItemVerdict.NOT_JUDGED: "not judged",
    ItemVerdict.UNSUPPORTED: "not supported and not run",
    ItemVerdict.NOT_ASKED: "not asked",
}
"""What stands behind the count of each verdict."""

RATIO_MEANING = "error / error that the level tight allows, at the worst number; above 1 it is not tight"
"""What the word ratio means."""

_BY_NAME = {kind.name: kind for kind in OUTCOME_KINDS}


def outcome_kind(outcome: str) -> OutcomeKind:
    """The kind of an outcome."""
    return _BY_NAME[outcome.partition("(")[0]]


def readable(outcome: str) -> str:
    """An outcome in words: `degraded (raw-moments)`."""
    name, _, algorithm = outcome.rstrip(")").partition("(")
    return f"{name} ({algorithm})" if algorithm else name.replace("-", " ")


def explained(outcomes: Iterable[str]) -> list[tuple[str, str]]:
    """Word and meaning of each outcome, each once, best first; `degraded` names its algorithm."""
    rows: dict[str, str] = {}
    order = {kind.name: place for place, kind in enumerate(OUTCOME_KINDS)}
    for outcome in sorted(set(outcomes), key=lambda outcome: (order[outcome_kind(outcome).name], outcome)):
        algorithm = outcome.rstrip(")").partition("(")[2]
        rows[readable(outcome)] = ALGORITHMS.get(algorithm, outcome_kind(outcome).meaning)
    return list(rows.items())


def family_title(family: str) -> str:
    """What a family of clauses is about, from the headings of SPEC.md; empty where this version does not know it."""
    return families().get(family, "")


@dataclass(frozen=True)
class Sign:
    """What shows a verdict: in a terminal, in Markdown and in HTML alike.

    Attributes:
        name: class in style sheets; also the state of an implementation.
        symbol: one character that needs no colour.
        colour: its style in a terminal.
        meaning: a few words for the line under a matrix.
    """

    name: str
    symbol: str
    colour: str
    meaning: str


SIGNS = (
    Sign("fail", "✕", "bold red", "fails"),
    Sign("known", "◆", "magenta", "known fault"),
    Sign("warn", "▲", "yellow", "only warns"),
    Sign("ok", "✓", "green", "conforms"),
    Sign("absent", "–", "dim", "nothing judged"),
)
"""All signs, the gravest first."""

SHORT = Sign("absent", "?", "yellow", "too little judged")
"""The sign of an implementation of which too little was judged; a cell never has it."""

CELL_MEANING = "A cell: the gravest outcome, and how many cases have its sign"
"""What a cell of a matrix shows."""

_SIGN = {sign.name: sign for sign in SIGNS}
_SIGN_OF_STATE = _SIGN | {"short": SHORT}
_VERDICT_SIGNS = {ItemVerdict.FAIL: "fail", ItemVerdict.KNOWN: "known", ItemVerdict.WARN: "warn"}


def sign_of_state(state: str) -> Sign:
    """The sign of the state of an implementation."""
    return _SIGN_OF_STATE[state]


def sign(verdict: str) -> Sign:
    """The sign of a verdict."""
    if verdict in SILENT:
        return _SIGN["absent"]
    return _SIGN[_VERDICT_SIGNS.get(ItemVerdict(verdict), "ok")]


def signs_explained(signs: Iterable[Sign]) -> list[Sign]:
    """The signs that a matrix shows, each once, the gravest first: its legend."""
    shown = set(signs)
    return [one for one in (SIGNS[0], SHORT, *SIGNS[1:]) if one in shown]


_GRAVITY = {
    ItemVerdict.NOT_ASKED: 0,
    ItemVerdict.UNSUPPORTED: 0,
    ItemVerdict.NOT_JUDGED: 1,
    ItemVerdict.REFUSED: 2,
    ItemVerdict.PASS: 2,
    ItemVerdict.WARN: 3,
    ItemVerdict.KNOWN: 4,
    ItemVerdict.FAIL: 5,
}
"""How grave a verdict is; under equal ones the outcome decides."""


def gravity(outcome: str, verdict: str) -> tuple[int, int]:
    """A key that orders outcomes with their verdicts from harmless to grave.

    What was not judged says nothing, so it is better than anything that was.
    """
    return _GRAVITY[ItemVerdict(verdict)], outcome_rank(outcome)
