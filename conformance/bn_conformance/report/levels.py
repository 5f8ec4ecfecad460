"""How outcomes are shown: each has a word, a symbol, a letter and a place in order, never a colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from bn_conformance.results.outcomes import NOT_JUDGED, Verdict, outcome_rank


@dataclass(frozen=True)
class Kind:
    """A kind of outcome: all `degraded(NAME)` are one kind.

    Attributes:
        name: the outcome without what is in brackets; also its class in style sheets.
        letter: for dense displays.
        symbol: says good, doubtful or bad without colour.
        meaning: what it says of an implementation, in a sentence.
    """

    name: str
    letter: str
    symbol: str
    meaning: str


KINDS = (
    Kind("exact", "E", "✓", "the correctly rounded result, bit for bit"),
    Kind("tight", "T", "✓", "within the bound of a direct, two-pass or updating algorithm"),
    Kind("stable", "S", "✓", "within the bound of a stable algorithm that folds or rounds more often"),
    Kind("refused", "R", "✓", "raised a clear error where the clause allows or asks for one"),
    Kind("degraded", "D", "▲", "explained only by an unstable algorithm, which is named"),
    Kind("wrong", "W", "✕", "explained by no known algorithm"),
    Kind("errored", "X", "✕", "raised where it should not have"),
    Kind("timed-out", "H", "✕", "did not finish in time"),
    Kind("crashed", "C", "✕", "ended its process"),
    Kind("missing", "M", "✕", "planned, but never reported: an error of the run"),
    Kind("not-judged", "N", "?", "no bound means anything for these numbers"),
    Kind("unsupported", "U", "–", "declared as not supported; never a failure"),
)
"""Every kind of outcome, from best to worst, and last the two that say nothing of the implementation."""

_BY_NAME = {kind.name: kind for kind in KINDS}


def kind_of(outcome: str) -> Kind:
    """The kind of an outcome."""
    return _BY_NAME[outcome.partition("(")[0]]


def readable(outcome: str) -> str:
    """An outcome in words: `degraded: raw-moments`."""
    name, _, detail = outcome.rstrip(")").partition("(")
    return f"{name}: {detail}" if detail else name.replace("-", " ")


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


_MARKS = {Verdict.FAIL: ("fail", "✕"), Verdict.KNOWN: ("known", "◆"), Verdict.WARN: ("warn", "▲")}


def mark(outcome: str, verdict: str) -> Mark:
    """The mark of an outcome under a verdict."""
    kind = kind_of(outcome)
    if verdict in _MARKS:
        style, symbol = _MARKS[Verdict(verdict)]
        return Mark(style, symbol, kind.letter.lower() if verdict == Verdict.WARN else kind.letter)
    return Mark("stable", "✓", kind.letter) if kind.symbol in "▲✕" else Mark(kind.name, kind.symbol, kind.letter)


_GRAVITY = (Verdict.UNSUPPORTED, Verdict.PASS, Verdict.WARN, Verdict.KNOWN, Verdict.FAIL)


def gravity(outcome: str, verdict: str) -> tuple[int, int]:
    """A key that orders outcomes with their verdicts from harmless to grave.

    What was not judged says nothing, so it is better than anything that was.
    """
    return _GRAVITY.index(Verdict(verdict)), -1 if outcome == NOT_JUDGED else outcome_rank(outcome)
