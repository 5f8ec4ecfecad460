"""The changes between two runs as GitHub Markdown: for a comment or a job summary, cut to a size."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.report.change_groups import ChangeGroup, Part, change_parts, notes, verdict
from bn_conformance.report.changes import Changes
from bn_conformance.report.markdown_text import block, bullets, code, escape, table

MOST_ROWS = 40
"""Rows of a table."""

MOST_CHARACTERS = 60_000
"""GitHub refuses comments of more than 65,536 characters."""


def changes_markdown(changes: Changes) -> str:
    """What changed, the verdict first; what did not get worse is folded."""
    blocks = [f"### {escape(verdict(changes))}"]
    if said := notes(changes):
        blocks.append(bullets(map(escape, said)))
    parts = change_parts(changes)
    for place, part in enumerate(parts):
        title, body = f"{part.title} ({part.count:,})", "\n\n".join(_body(part))
        text = "\n\n".join(block(title, body, folded=not part.worse))
        if sum(map(len, blocks)) + len(text) > MOST_CHARACTERS:
            blocks.append(f"Cut to size: {len(parts) - place} parts more, from {escape(part.title)} on.")
            break
        blocks.append(text)
    return "\n\n".join(blocks)


def _body(part: Part) -> Iterator[str]:
    if part.groups:
        yield table(("what changed", "ratio", "of", "in"), map(_row, part.groups[:MOST_ROWS]))
    if part.lines:
        yield bullets(map(escape, part.lines[:MOST_ROWS]))
    more = max(len(part.groups), len(part.lines)) - MOST_ROWS
    if more > 0:
        yield f"and {more} more"
    if part.worse and part.groups and (item := part.groups[0].example.new) is not None and item.reproduce:
        yield f"Run the first again: {code(item.reproduce)}"


def _row(group: ChangeGroup) -> tuple[str, ...]:
    what = f"{', '.join(group.quantities)}: " if group.quantities else ""
    clauses = f" ({', '.join(group.clauses)})" if group.clauses else ""
    reason = f": {group.reason}" if group.reason else ""
    said = f"{what}{group.outcomes}{clauses}{reason}"
    return escape(said), escape(group.margin.removeprefix("ratio ")), escape(group.who), escape(group.where)
