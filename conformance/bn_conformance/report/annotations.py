"""Failures as annotations of GitHub's workflows: lines that it shows beside a change."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.report.problems import SharedProblem
from bn_conformance.report.quantity_text import error_and_allowed, expected_and_got, place
from bn_conformance.report.summary import summarise
from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.text import counted, one_line

MOST_ANNOTATIONS = 10
"""GitHub shows no more errors of a step."""


def workflow_commands(results: Results) -> Iterator[str]:
    """A workflow command for each problem among the failures, the gravest first; at most ten."""
    problems = summarise(results).problems(ItemVerdict.FAIL)
    shown = problems if len(problems) <= MOST_ANNOTATIONS else problems[: MOST_ANNOTATIONS - 1]
    for problem in shown:
        yield _command(
            f"{', '.join(part.implementation for part in problem.parts)}: {problem.sentence}", _body(problem)
        )
    if len(problems) > len(shown):
        yield _command("batch normalisation", f"and {len(problems) - len(shown)} problems more: see the report")


def _body(problem: SharedProblem) -> str:
    item, worst = problem.example.item, problem.example.worst
    lines = [f"{counted(len(problem.entries), 'case')}, the worst: {item.case}"]
    if worst is not None and expected_and_got(worst):
        lines.append(f"{place(worst.name, worst.index)}: {expected_and_got(worst)}; {error_and_allowed(worst)}")
    if item.message:
        lines.append(item.message)
    if item.reproduce:
        lines.append(f"run it again: {item.reproduce}")
    return "\n".join(one_line(line, 500) for line in lines)


def _command(title: str, message: str) -> str:
    """A workflow command. Text of results cannot end it, or begin another."""
    name = _escaped(one_line(title, 200)).replace(":", "%3A").replace(",", "%2C")
    return f"::error title={name}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
