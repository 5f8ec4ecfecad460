"""The legend: what every outcome, verdict and family of clauses means, and the sign that shows it.

These tables are the only place that words the legend: the terminal, Markdown and HTML all show their rows. A sign never
depends on colour: an outcome has a word, a letter and a symbol.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bn_conformance.results.outcomes import NOT_JUDGED, ItemVerdict, outcome_rank
from bn_reference.specification.clauses import families


@dataclass(frozen=True)
class OutcomeKind:
    """A kind of outcome. All `degraded(ALGORITHM)` are one kind.

    Attributes:
        name: the outcome without what stands in brackets; also its class in style sheets.
        letter: for dense displays.
        symbol: says good, doubtful or bad without colour.
        meaning: one line of explanation.
    """

    name: str
    letter: str
    symbol: str
    meaning: str


OUTCOME_KINDS = (
    OutcomeKind("exact", "E", "✓", "every number is the correctly rounded result, bit for bit"),
    OutcomeKind("tight", "T", "✓", "every error is within the bound of a direct, two-pass or updating algorithm"),
    OutcomeKind("stable", "S", "✓", "an error is larger, but within the bound of a stable algorithm that rounds more"),
    OutcomeKind("refused", "R", "✓", "it raised a clear error, which the clause allows or asks for"),
    OutcomeKind("degraded", "D", "▲", "only an unstable algorithm explains the error; its name is given"),
    OutcomeKind("wrong", "W", "✕", "no algorithm that the suite knows explains the result"),
    OutcomeKind("errored", "X", "✕", "it raised an error where a result was due"),
    OutcomeKind("timed-out", "H", "✕", "a call did not finish in time"),
    OutcomeKind("crashed", "C", "✕", "the process ended during a call"),
    OutcomeKind("missing", "M", "✕", "planned, but never reported: an error of the run"),
    OutcomeKind("not-judged", "N", "?", "too ill-conditioned: no error bound means anything for these numbers"),
    OutcomeKind("unsupported", "U", "–", "not run: the implementation does not declare what the case needs"),
)
"""Every kind of outcome, from best to worst, and last the two that say nothing of the implementation."""

ALGORITHMS = {
    "raw-moments": "the variance is computed as E[x^2] - E[x]^2, which cancels where the mean is large",
    "sequential-sum": "a sum over many values is one running sum, whose error grows with their number",
    "storage-precision": "the arithmetic is done in the storage format, such as float16, not in a wider one",
}
"""The unstable algorithms that `degraded(ALGORITHM)` names."""

VERDICT_MEANINGS = {
    ItemVerdict.PASS: "conforms",
    ItemVerdict.WARN: "does not fail the run: an unstable algorithm, or a clause that says SHOULD",
    ItemVerdict.FAIL: "does not conform",
    ItemVerdict.KNOWN: "fails, but is on the list of known faults, with a reason; does not fail the run",
    ItemVerdict.UNSUPPORTED: "not run: the implementation does not declare what the case needs",
}
"""What each verdict means for the run."""

VERDICT_COUNTS = {
    ItemVerdict.PASS: "pass",
    ItemVerdict.WARN: "warn",
    ItemVerdict.FAIL: "fail",
    ItemVerdict.KNOWN: "known faults",
    ItemVerdict.UNSUPPORTED: "not supported and not run",
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
class Mark:
    """How an outcome with its verdict is shown: the verdict gives symbol and colour, the outcome gives word and letter.

    Attributes:
        style: class in style sheets.
        symbol: says good, doubtful or bad without colour.
        letter: upper case, but lower case for what only warns.
    """

    style: str
    symbol: str
    letter: str


_MARKS = {ItemVerdict.FAIL: ("fail", "✕"), ItemVerdict.KNOWN: ("known", "◆"), ItemVerdict.WARN: ("warn", "▲")}


def mark(outcome: str, verdict: str) -> Mark:
    """The mark of an outcome under a verdict."""
    kind = outcome_kind(outcome)
    if verdict in _MARKS:
        style, symbol = _MARKS[ItemVerdict(verdict)]
        return Mark(style, symbol, kind.letter.lower() if verdict == ItemVerdict.WARN else kind.letter)
    return Mark("stable", "✓", kind.letter) if kind.symbol in "▲✕" else Mark(kind.name, kind.symbol, kind.letter)


_GRAVITY = (ItemVerdict.UNSUPPORTED, ItemVerdict.PASS, ItemVerdict.WARN, ItemVerdict.KNOWN, ItemVerdict.FAIL)


def gravity(outcome: str, verdict: str) -> tuple[int, int]:
    """A key that orders outcomes with their verdicts from harmless to grave.

    What was not judged says nothing, so it is better than anything that was.
    """
    return _GRAVITY.index(ItemVerdict(verdict)), -1 if outcome == NOT_JUDGED else outcome_rank(outcome)
