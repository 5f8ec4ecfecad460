"""The report as GitHub Markdown, compact enough for the summary of a CI job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from bn_conformance.report.convention_table import conventions
from bn_conformance.report.entries import Tally
from bn_conformance.report.faults import Fault
from bn_conformance.report.levels import readable
from bn_conformance.report.summary import Summary, summarise
from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import Verdict
from bn_conformance.text import counted, number, one_line

MOST_ROWS = 50
"""Rows of failures that are listed; GitHub refuses a summary of more than a mebibyte."""

_MARKUP = re.compile(r"([\\`*_\[\]~|$#!{}])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}


def escape(text: str, limit: int = 200) -> str:
    """Text of results on one line, as Markdown that shows just that text, within a table too."""
    safe = "".join(_ENTITIES.get(character, character) for character in one_line(text, limit))
    return _MARKUP.sub(r"\\\1", safe.replace("&#64;", "\0")).replace("\0", "&#64;")


def render(results: Results, baseline: str | None = None) -> str:
    """The report as Markdown.

    Args:
        results: what a run wrote.
        baseline: implementation that the conventions of the others are set beside; the first judged one by default.

    Raises:
        ResultsError: there is no such baseline.
    """
    summary = summarise(results)
    blocks = [
        f"### Batch normalisation conformance: {escape(summary.headline)}",
        *(f"> **Note:** {escape(note)}" for note in summary.notes),
        _numbers(summary),
        _matrix(summary),
        *_faults(summary, Verdict.FAIL, "Failures", folded=False),
        *_diagnoses(summary),
        *_faults(summary, Verdict.KNOWN, "Known faults", folded=True),
        *_faults(summary, Verdict.WARN, "Warnings", folded=True),
        *_not_judged(summary),
        *_stale(summary),
        *_conventions(summary, baseline),
    ]
    return "\n\n".join(blocks) + "\n"


def _numbers(summary: Summary) -> str:
    header, verdicts = summary.results.header, summary.tally.verdicts
    counts = ", ".join(f"{verdicts[verdict]:,} {verdict}" for verdict in Verdict)
    return (
        f"bnconform {escape(header.suite)}, {escape(header.created)}: {counted(len(summary.cases), 'case')}, "
        f"{counted(summary.tally.total, 'item')}: {counts}."
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], align: str = "") -> str:
    """A table; `align` has an `r` for each column from the left that is aligned to the right, else a dot."""
    rules = ["--:" if align[place : place + 1] == "r" else "---" for place in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rules, *rows))


def _cell(tally: Tally | None) -> str:
    """Symbol, kind and, where it is not good, how many cases are as bad."""
    return f"{tally.mark.symbol} {tally.kind.name} {tally.at_worst or ''}".strip() if tally else ""


def _matrix(summary: Summary) -> str:
    head = ["Implementation", "Verdict", *map(escape, summary.families)]
    rows = (
        [
            escape(one.name),
            f"{one.symbol} {escape(one.headline)}",
            *(_cell(one.families.get(family)) for family in summary.families),
        ]
        for one in summary.implementations
    )
    return _table(head, rows)


def _row(fault: Fault) -> list[str]:
    example, worst = fault.example, fault.example.worst
    reason = example.item.known_fault
    return [
        f"{example.mark.symbol} {escape(readable(fault.outcome))}",
        escape(", ".join(fault.clauses)),
        ": ".join(escape(part) for part in (fault.what, reason) if part),
        ", ".join(f"{escape(group.implementation)} ({len(group.entries)})" for group in fault.groups),
        number(worst.ratio) if worst else "",
        escape(example.case.id),
    ]


def _faults(summary: Summary, verdict: Verdict, title: str, folded: bool) -> Iterator[str]:
    faults = summary.faults(verdict)
    if not faults:
        return
    head = ["Outcome", "Clause", "What", "Implementations (cases)", "Worst ratio", "Worst case"]
    table = _table(head, map(_row, faults[:MOST_ROWS]), align="....r.")
    if len(faults) > MOST_ROWS:
        table += f"\n\nand {len(faults) - MOST_ROWS} more, in the HTML report"
    yield from _block(f"{title} ({summary.tally.verdicts[verdict]:,})", table, folded)


def _diagnoses(summary: Summary) -> Iterator[str]:
    found = [f"- {escape(one.implementation)}: {escape(one.message, 1000)}" for one in summary.results.diagnoses]
    if found:
        yield from _block("Diagnosis", "\n".join(found), folded=False)


def _block(title: str, body: str, folded: bool) -> Iterator[str]:
    if folded:
        yield f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
    else:
        yield from (f"#### {title}", body)


def _not_judged(summary: Summary) -> Iterator[str]:
    absent = [one for one in summary.implementations if one.environment.message]
    if absent:
        yield "\n".join(f"- {escape(one.name)}: {escape(one.environment.message, 300)}" for one in absent)


def _stale(summary: Summary) -> Iterator[str]:
    stale = summary.results.stale_faults
    if stale:
        entries = (f"- {escape(f'{one.file}:{one.line}')} {escape(one.entry)}: {escape(one.message)}" for one in stale)
        yield from _block("Stale known-fault entries", "\n".join(entries), folded=False)


def _conventions(summary: Summary, baseline: str | None) -> Iterator[str]:
    declared = conventions(summary, baseline)
    if declared.baseline is None:
        return
    lines = [
        f"- {', '.join(map(escape, difference.implementations))}: "
        + "; ".join(
            f"{effect.choice.replace('_', ' ')} {escape(effect.value)}, not {escape(effect.baseline)}"
            for effect in difference.effects
            if effect.value
        )
        for difference in declared.differences
    ]
    lines += [
        f"- nonstandard {escape(choice.replace('_', ' '))}: {escape(meaning)} ({', '.join(map(escape, names))})"
        for (choice, meaning), names in declared.nonstandard.items()
    ]
    if lines:
        yield from _block(f"Conventions beside {escape(declared.baseline)}", "\n".join(lines), folded=True)
