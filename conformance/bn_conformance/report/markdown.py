"""The report as GitHub Markdown, compact enough for the summary of a CI job."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.report.convention_table import convention_table
from bn_conformance.report.entries import Tally
from bn_conformance.report.legend import (
    CELL_MEANING,
    RATIO_MEANING,
    VERDICT_COUNTS,
    explained,
    family_title,
    signs_explained,
)
from bn_conformance.report.markdown_text import block, bullets, escape, table
from bn_conformance.report.problems import SharedProblem
from bn_conformance.report.summary import Summary, summarise
from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.text import counted, number

MOST_ROWS = 50
"""Rows of failures that are listed; GitHub refuses a summary of more than a mebibyte."""


def render_markdown(results: Results, baseline: str | None = None) -> str:
    """The report as Markdown, of the same results and beside the same baseline as `report.html.render_html`.

    Raises:
        ResultsError: the results hold no convention of `baseline`.
    """
    summary = summarise(results)
    absent = [implementation for implementation in summary.implementations if implementation.environment.message]
    diagnoses = (
        f"{escape(diagnosis.implementation)}: {escape(diagnosis.message, 1000)}" for diagnosis in results.diagnoses
    )
    stale = (
        f"{escape(f'{fault.file}:{fault.line}')} {escape(fault.entry)}: {escape(fault.message)}"
        for fault in results.stale_faults
    )
    blocks = [
        f"### Batch normalisation conformance: {escape(summary.headline)}",
        *(f"> **Note:** {escape(note)}" for note in summary.notes),
        _numbers(summary),
        _matrix(summary),
        *block("What the words mean", bullets(_legend(summary)), folded=True),
        *_problems(summary, ItemVerdict.FAIL, "Failures"),
        *block("Diagnosis", bullets(diagnoses)),
        *_problems(summary, ItemVerdict.KNOWN, "Known faults"),
        *_problems(summary, ItemVerdict.WARN, "Warnings"),
        *block(
            "Not installed, or broken",
            bullets(
                f"{escape(implementation.name)}: {escape(implementation.environment.message, 300)}"
                for implementation in absent
            ),
        ),
        *block("Known faults that are gone: delete these entries", bullets(stale)),
        *_conventions(summary, baseline),
    ]
    return "\n\n".join(blocks) + "\n"


def _numbers(summary: Summary) -> str:
    header, verdicts = summary.results.header, summary.tally.verdicts
    counts = ", ".join(f"{verdicts[verdict]:,} {VERDICT_COUNTS[verdict]}" for verdict in summary.tally.counted_verdicts)
    return (
        f"bnconform {escape(header.suite)}, {escape(header.created)}: {counted(len(summary.cases), 'case')}, "
        f"{counted(summary.tally.total, 'item')} (one implementation on one case each): {counts}."
    )


def _cell(tally: Tally | None) -> str:
    """Sign, kind of outcome and, where it is not good, how many cases are as bad."""
    return f"{tally.sign.symbol} {tally.kind.name} {tally.at_worst or ''}".strip() if tally else ""


def _matrix(summary: Summary) -> str:
    head = ["Implementation", "Verdict", *map(escape, summary.families)]
    rows = (
        [
            escape(implementation.name),
            f"{implementation.sign.symbol} {escape(implementation.headline)}",
            *(_cell(implementation.families.get(family)) for family in summary.families),
        ]
        for implementation in summary.implementations
    )
    return table(head, rows)


def _legend(summary: Summary) -> Iterator[str]:
    """The outcomes and families of the matrix, a line each."""
    tallies = (tally for one in summary.implementations for tally in one.families.values())
    shown = signs_explained([*(one.sign for one in summary.implementations), *(tally.sign for tally in tallies)])
    yield f"{CELL_MEANING}: {', '.join(f'{sign.symbol} {sign.meaning}' for sign in shown)}"
    yield f"**ratio**: {RATIO_MEANING}"
    outcomes = {entry.item.outcome for implementation in summary.implementations for entry in implementation.entries}
    yield from (f"**{escape(word)}**: {escape(meaning)}" for word, meaning in explained(outcomes))
    titles = ((family, family_title(family)) for family in summary.families)
    yield from (f"**{escape(family)}**: {escape(title)}" for family, title in titles if title)


def _row(problem: SharedProblem) -> list[str]:
    example, worst = problem.example, problem.example.worst
    reason = example.item.known_fault
    return [
        escape(f"{example.sign.symbol} {problem.outcome_in_words}"),
        escape(", ".join(problem.clauses)),
        ": ".join(escape(part) for part in (problem.what, reason) if part),
        ", ".join(f"{escape(part.implementation)} ({len(part.entries)})" for part in problem.parts),
        number(worst.ratio) if worst else "",
        escape(example.case.id),
    ]


def _problems(summary: Summary, verdict: ItemVerdict, title: str) -> Iterator[str]:
    problems = summary.problems(verdict)
    if not problems:
        return
    head = ["Outcome", "Clause", "What", "Implementations (cases)", "Worst ratio", "Worst case"]
    body = table(head, map(_row, problems[:MOST_ROWS]), align="....r.")
    if len(problems) > MOST_ROWS:
        body += f"\n\nand {len(problems) - MOST_ROWS} more, in the HTML report"
    yield from block(f"{title} ({summary.tally.verdicts[verdict]:,})", body, folded=verdict is not ItemVerdict.FAIL)


def _conventions(summary: Summary, baseline: str | None) -> Iterator[str]:
    declared = convention_table(summary, baseline)
    if declared.baseline is None:
        return
    lines = [
        f"{', '.join(map(escape, difference.implementations))}: "
        + "; ".join(
            f"{effect.choice.replace('_', ' ')} {escape(effect.value)}, not {escape(effect.baseline)}"
            for effect in difference.effects
            if effect.value
        )
        for difference in declared.differences
    ]
    lines += [
        f"nonstandard {escape(choice.replace('_', ' '))}: {escape(meaning)} ({', '.join(map(escape, names))})"
        for (choice, meaning), names in declared.nonstandard.items()
    ]
    yield from block(f"Conventions that differ from {escape(declared.baseline)}", bullets(lines), folded=True)
