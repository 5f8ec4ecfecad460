"""What was selected and not judged, a line for each reason, with the MUST clauses of which nothing was judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bn_conformance.report.summary import ImplementationSummary
from bn_conformance.results.coverage import Coverage
from bn_conformance.results.heard import LeftOut
from bn_conformance.results.outcomes import NOT_ASKED_BECAUSE, OUTSIDE_SAMPLE
from bn_conformance.text import counted, one_line

MOST_REASONS = 8
"""Reasons that are told: first what can be done something about, then those that leave a MUST clause unheard."""

_NOT_ASKED = (NOT_ASKED_BECAUSE, OUTSIDE_SAMPLE)

OF_WHAT_COMPILES = "(compiles for each"
"""In the reason why a case is left out that would cost a compilation."""


def left_out_lines(coverage: Coverage, most: int = MOST_REASONS) -> list[str]:
    """The reasons with their cases and clauses, the most frequent first; what is not told is counted in a last line."""
    parts = sorted(coverage.left_out, key=lambda part: (not _can_be_changed(part), not part.clauses))
    told, rest = parts[:most], parts[most:]
    lines = [_line(part) for part in told]
    if rest:
        cases = counted(sum(part.cases for part in rest), "case")
        silenced = [clause for part in rest for clause in part.clauses]
        unheard = f"; nothing was judged of {ranges(silenced)}" if silenced else ""
        lines.append(f"{cases}: {counted(len(rest), 'further reason')}{unheard}")
    return lines


def not_judged_lines(implementations: Sequence[ImplementationSummary]) -> Iterator[str]:
    """Of one implementation each reason; of several how much was asked of each, and the clauses that stay unheard."""
    if len(implementations) == 1:
        yield from left_out_lines(implementations[0].coverage)
        return
    for one in implementations:
        if unheard := one.coverage.unheard:
            yield f"{one.name}: {one.coverage}; nothing was judged of {ranges(unheard)}"


def _line(part: LeftOut) -> str:
    declined = "declined: " * part.declined
    thorough = ", which --thorough runs" * _compiles(part)
    unheard = f"; nothing was judged of {ranges(part.clauses)}" if part.clauses else ""
    return f"{counted(part.cases, 'case')}: {declined}{one_line(part.reason, 120)}{thorough}{unheard}"


def _can_be_changed(part: LeftOut) -> bool:
    return part.declined or _compiles(part) or part.reason in _NOT_ASKED


def _compiles(part: LeftOut) -> bool:
    return OF_WHAT_COMPILES in part.reason


def ranges(clauses: Sequence[str]) -> str:
    """Clauses in a few words: `MASK-1 to MASK-5, MASK-7`."""
    runs: list[list[str]] = []
    families = list(dict.fromkeys(clause.partition("-")[0] for clause in clauses))
    for clause in sorted(clauses, key=lambda clause: (families.index(clause.partition("-")[0]), _number(clause))):
        if runs and _follows(runs[-1][-1], clause):
            runs[-1].append(clause)
        else:
            runs.append([clause])
    return ", ".join(part for run in runs for part in _run(run))


def _follows(before: str, clause: str) -> bool:
    return clause == f"{before.partition('-')[0]}-{_number(before) + 1}"


def _number(clause: str) -> int:
    return int(clause.partition("-")[2])


def _run(run: Sequence[str]) -> Iterator[str]:
    yield from run if len(run) < 3 else (f"{run[0]} to {run[-1]}",)
