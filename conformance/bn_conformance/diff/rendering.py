"""A comparison for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from bn_conformance.diff.comparing import Diff, Direction
from bn_conformance.diff.verifying import Check
from bn_conformance.text import number, one_line

NARROWEST_TABLE = 132
"""Columns below which tables are not squeezed further: a column that goes missing is worse than a line that wraps."""

FELT_HEAD = (
    "case",
    "step",
    "difference",
    "/ std of A",
    "predicted",
    "rest",
    "allowed",
    "rest / allowed",
)  # fmt: skip
CHECK_HEAD = ("check", "largest difference", "allowed", "ratio", "holds")


def felt_rows(diff: Diff) -> list[tuple[str, ...]]:
    """The table of what a model feels, as text."""
    return [
        (
            one.case, f"{one.step}, {one.mode}", number(one.difference, 3), number(one.relative, 3),
            number(one.predicted, 3), number(one.unexplained, 2), number(one.allowed, 2), number(one.ratio, 2),
        )
        for one in diff.felt
    ]  # fmt: skip


def check_row(check: Check) -> tuple[str, ...]:
    """One check, as text."""
    what = f"{check.what} ({check.note})" if check.note else check.what
    return (
        what,
        number(check.difference, 2),
        number(check.allowed, 2),
        number(check.ratio, 2),
        "yes" if check.holds else "NO",
    )


def result(direction: Direction) -> str:
    """How a conversion stands, in a line."""
    verification = direction.verification
    if verification.verified:
        return "verified"
    broken = ", ".join(check.what for check in verification.checks if not check.holds)
    return f"NOT verified: {verification.failure or broken}"


def explanation(diff: Diff) -> str:
    """Whether the conventions explain the difference."""
    if not diff.felt:
        return "No case could be run on both."
    worst = max(diff.felt, key=lambda one: one.ratio)
    if diff.explained:
        return (
            f"The conventions explain every difference; the rest is at most {number(worst.ratio)} of "
            "what rounding may do."
        )
    return (
        f"Not explained by the conventions: {number(worst.unexplained)} in {worst.case}, {number(worst.ratio)} times "
        "what rounding may do. `bnconform probe` and `bnconform check` say which side is off."
    )


def markdown(diff: Diff) -> str:
    """The comparison as Markdown."""
    lines = [
        f"# {_cell(diff.a)} and {_cell(diff.b)}",
        "",
        f"**{_cell(diff.headline)}**",
        "",
        "## Conventions that differ",
        "",
    ]
    if diff.choices:
        lines += _table(
            ("convention", diff.a, diff.b),
            [(one.field, _said(one.a, one.meaning_a), _said(one.b, one.meaning_b)) for one in diff.choices],
        )
        lines += ["", *(f"- {_cell(effect.choice)}: {_cell(effect.sentence)}" for effect in diff.effects), ""]
    else:
        lines += ["None.", ""]
    lines += ["## What a model would feel", "", "Both with their own defaults, on the same data.", ""]
    lines += [
        *_table(FELT_HEAD, felt_rows(diff)),
        "",
        explanation(diff),
        *(f"- not run: {_cell(one)}" for one in diff.failures),
        "",
    ]
    for direction in diff.directions:
        lines += [
            f"## From {_cell(direction.source)} to {_cell(direction.target)}",
            "",
            f"**{_cell(result(direction))}**",
            "",
        ]
        for place, step in enumerate(direction.steps, 1):
            lines.append(
                f"{place}. {step.title}: `{_code(step.formula)}`" + (f" ({_cell(step.note)})" if step.note else "")
            )
        lines += ["", "```python", direction.snippet.replace("```", "'''"), "```", ""]
        if direction.verification.checks:
            lines += [*_table(CHECK_HEAD, [check_row(check) for check in direction.verification.checks]), ""]
    return "\n".join(lines)


def _said(value: str, meaning: str) -> str:
    return f"{value}: {meaning}" if meaning else value


def _cell(text: str) -> str:
    safe = one_line(text, 1000).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    return safe.replace("[", "\\[").replace("*", "\\*").replace("`", "\\`")


def _code(text: str) -> str:
    return one_line(text, 1000).replace("`", "'")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    body = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in [head, *rows]]
    return [body[0], "|" + " --- |" * len(head), *body[1:]]


def print_diff(diff: Diff, console: Console) -> None:
    """The comparison on a terminal."""
    _line(console, f"{diff.a} (A) and {diff.b} (B)", "bold")
    _line(console, diff.headline, "green" if diff.verified else "bold red")
    if diff.choices:
        rows: list[tuple[str, ...]] = [
            (one.field, _said(one.a, one.meaning_a), _said(one.b, one.meaning_b)) for one in diff.choices
        ]
        _print_table(console, "Conventions that differ", ("convention", "A", "B"), rows)
        for effect in diff.effects:
            _line(console, f"  {effect.choice}: {effect.sentence}")
    _print_table(console, "What a model would feel, each with its own defaults", FELT_HEAD, felt_rows(diff))
    _line(console, explanation(diff))
    for failure in diff.failures:
        _line(console, f"  not run: {failure}")
    for direction in diff.directions:
        console.print()
        _line(console, f"From {direction.source} (A) to {direction.target} (B): {result(direction)}", "bold")
        for place, step in enumerate(direction.steps, 1):
            _line(console, f"  {place}. {step.title}: {step.formula}" + (f" ({step.note})" if step.note else ""))
        console.print(Syntax(one_line_each(direction.snippet), "python", background_color="default", word_wrap=True))
        if direction.verification.checks:
            _print_table(console, "", CHECK_HEAD, rows)


def one_line_each(code: str) -> str:
    """Code whose lines are safe to display."""
    return "\n".join(line[: len(line) - len(line.lstrip())] + one_line(line, 1000) for line in code.splitlines())


def _line(console: Console, text: str, style: str = "") -> None:
    console.print(Text(one_line(text, 2000), style=style), highlight=False)


def _print_table(console: Console, title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    if title:
        console.print()
        _line(console, title, "bold")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    first = (
        max((len(row[0]) for row in rows), default=4) if max((len(row[0]) for row in rows), default=0) < 48 else None
    )
    for place, heading in enumerate(head):
        table.add_column(heading, overflow="fold", min_width=first if place == 0 else None)
    for row in rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    narrow, console.width = console.width, max(console.width, NARROWEST_TABLE)
    console.print(table)
    console.width = narrow
