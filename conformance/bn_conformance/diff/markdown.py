"""A comparison of two sides as GitHub Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.diff.difference import Diff, Direction
from bn_conformance.diff.tables import (
    CHECKS_HEAD,
    OUTPUTS_HEAD,
    OUTPUTS_MEANING,
    OUTPUTS_TITLE,
    check_row,
    choice_row,
    explanation,
    output_row,
    result,
    significance,
)
from bn_conformance.report.markdown_text import bullets, code, escape, table

_LONG = 1000
"""Characters after which a text is cut."""


def diff_markdown(diff: Diff) -> str:
    """The comparison as Markdown."""
    return "\n\n".join(part for part in _parts(diff) if part) + "\n"


def _parts(diff: Diff) -> Iterator[str]:
    yield f"# {escape(diff.a)} and {escape(diff.b)}"
    yield f"**{_text(diff.headline)}**"
    yield _text(significance(diff))
    if diff.measured:
        yield "## Measured, since it is code of one's own"
        yield bullets(map(_text, diff.measured))
    yield "## Conventions that differ"
    if diff.choices:
        yield table(("convention", escape(diff.a), escape(diff.b)), map(_row, map(choice_row, diff.choices)))
        yield bullets(f"{_text(effect.choice.replace('_', ' '))}: {_text(effect.sentence)}" for effect in diff.effects)
    else:
        yield "None."
    yield f"## {OUTPUTS_TITLE}"
    yield OUTPUTS_MEANING
    yield table(OUTPUTS_HEAD, map(_row, map(output_row, diff.outputs)))
    yield explanation(diff)
    yield bullets(f"not run: {_text(failure)}" for failure in diff.failures)
    for direction in diff.directions:
        yield from _direction(direction)


def _direction(direction: Direction) -> Iterator[str]:
    yield f"## From {escape(direction.source)} (A) to {escape(direction.target)} (B)"
    yield f"**{_text(result(direction))}**"
    yield "\n".join(
        f"{place}. {step.title}: {code(step.formula)}" + (f" ({_text(step.note)})" if step.note else "")
        for place, step in enumerate(direction.steps, 1)
    )
    yield f"```python\n{direction.snippet.replace('```', chr(39) * 3)}\n```"
    if direction.verification.checks:
        yield table(CHECKS_HEAD, map(_row, map(check_row, direction.verification.checks)))


def _text(text: str) -> str:
    return escape(text, _LONG)


def _row(cells: tuple[str, ...]) -> list[str]:
    return [_text(cell) for cell in cells]
