"""A verdict as plain text."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import fill
from typing import Protocol

from bn_conformance.report.problems import SharedProblem
from bn_conformance.report.quantity_text import error_and_allowed, expected_and_got, place
from bn_conformance.report.summary import Summary
from bn_conformance.results.coverage import Coverage, FamilyCoverage
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.text import counted, number, one_line

WIDTH = 100
"""Columns that text is wrapped to; what is to be copied is never broken."""

MOST_PROBLEMS = 12
"""Problems that are shown of failures, and of warnings; a report shows all."""

SECTIONS = (
    (ItemVerdict.FAIL, "Failures", "✕"),
    (ItemVerdict.KNOWN, "Known faults: understood, and no reason to fail", "◆"),
    (ItemVerdict.WARN, "Warnings: no reason to fail", "▲"),
)
"""What is told of cases that do not simply pass: verdict, title and sign."""

COLUMNS = ("exist", "asked", "judged", "refused", "not judged", "failed", "unsupported", "not asked")
"""The columns of the coverage."""


class Told(Protocol):
    """What is told of a verdict."""

    @property
    def headline(self) -> str:
        """The verdict in a line."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found of the code."""

    @property
    def summary(self) -> Summary:
        """What goes wrong in the same way together."""

    @property
    def diagnosis(self) -> str:
        """The mistake that explains what fails, or nothing."""

    @property
    def newly_judged(self) -> str:
        """What is said of cases that are newer than the set; empty where there are none."""

    @property
    def not_asked(self) -> str:
        """What is said of cases that were not asked; empty where all were."""

    @property
    def coverage(self) -> Coverage:
        """How much was judged."""

    @property
    def left_out(self) -> list[str]:
        """What was selected and not judged, a line for each reason."""


def as_text(verdict: Told) -> str:
    """The verdict, what fails and how to run it again, the diagnosis, what warns, and the coverage."""
    return "\n".join(_lines(verdict))


def _lines(verdict: Told) -> Iterator[str]:
    yield verdict.headline
    for note in verdict.notes:
        yield _wrapped(note, 2)
    if verdict.newly_judged:
        yield _wrapped(f"Note: {verdict.newly_judged}", 2)
    if verdict.not_asked:
        yield _wrapped(f"Note: {verdict.not_asked}", 2)
    for wanted, title, sign in SECTIONS:
        problems = verdict.summary.problems(wanted)
        if problems:
            name, colon, meaning = title.partition(":")
            yield f"\n{name} ({counted(sum(len(problem.entries) for problem in problems), 'case')}){colon}{meaning}"
        for problem in problems[:MOST_PROBLEMS]:
            yield _wrapped(f"{sign} {said(problem)}", 2)
            if wanted is ItemVerdict.FAIL:
                yield from _details(problem)
        if len(problems) > MOST_PROBLEMS:
            yield f"  and {len(problems) - MOST_PROBLEMS} more; .failures and .warnings have all"
        if wanted is ItemVerdict.FAIL and verdict.diagnosis:
            yield "\nDiagnosis"
            yield from (_wrapped(line, 2) for line in verdict.diagnosis.splitlines())
    yield f"\nCoverage: {verdict.coverage}"
    yield from coverage_lines(verdict.coverage)
    if verdict.coverage.too_little:
        yield _wrapped(f"Too little was judged. {verdict.coverage.too_little}", 2)
    if verdict.left_out:
        yield "\nNot judged"
        yield from (_wrapped(line, 2) for line in verdict.left_out)


def said(problem: SharedProblem) -> str:
    """What goes wrong and in how many cases, in a sentence."""
    example = problem.example
    ratio = example.worst.ratio if example.worst and problem.verdict != ItemVerdict.FAIL else None
    up_to = "" if ratio is None else f", ratio up to {number(ratio)}"
    return f"{example.item.known_fault or problem.sentence + up_to} ({counted(len(problem.entries), 'case')})"


def numbers_of(problem: SharedProblem) -> list[str]:
    """The worst number of a problem, why it is wrong, and the case that gave it, each in a line."""
    entry, worst = problem.example, problem.example.worst
    lines = []
    if worst and expected_and_got(worst):
        lines.append("; ".join(filter(None, (expected_and_got(worst), error_and_allowed(worst)))))
    if entry.why and one_line(entry.why) != problem.what:
        lines.append(one_line(entry.why))
    where = f"at {place(worst.name, worst.index)} of " if worst else "in "
    which = (", the worst case" if worst else ", for example") if len(problem.entries) > 1 else ""
    return [*lines, f"{where}{entry.item.case}{which}"]


def _details(problem: SharedProblem) -> Iterator[str]:
    for line in numbers_of(problem):
        yield _wrapped(line, 6)
    yield f"      run it again: {problem.example.item.reproduce}"


def coverage_lines(coverage: Coverage) -> Iterator[str]:
    """The coverage as a table: families of which nothing was selected are left out."""
    rows = [(family.family, *map(str, counts_of(family))) for family in shown(coverage)]
    widths = [max(map(len, column)) for column in zip(("family", *COLUMNS), *rows, strict=True)]
    for row, family in zip((("family", *COLUMNS), *rows), (None, *shown(coverage)), strict=True):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        reason = f"  {one_line(family.reason, 80)}" if family and family.reason else ""
        yield f"  {'  '.join(cells)}{reason}"


def shown(coverage: Coverage) -> list[FamilyCoverage]:
    """The families of which something was selected."""
    return [family for family in coverage.families if family.selected]


def counts_of(family: FamilyCoverage) -> tuple[int, ...]:
    """The counts of a family, in the order of `COLUMNS`."""
    return (
        family.exist,
        family.asked,
        family.judged,
        family.refused,
        family.not_judged,
        family.failed,
        family.unsupported,
        family.not_asked,
    )


def _wrapped(text: str, indent: int) -> str:
    margin = " " * indent
    return fill(
        one_line(text, 1000), WIDTH, initial_indent=margin, subsequent_indent=f"{margin}  ", break_on_hyphens=False
    )
