"""The changes between two runs on a terminal: what got worse first, then what got better, then what merely changed."""

from __future__ import annotations

from rich.console import Console

from bn_conformance.report.change_groups import ChangeGroup, change_parts, notes, verdict
from bn_conformance.report.changes import Changes
from bn_conformance.report.legend import explained
from bn_conformance.report.lines import Lines

MOST_GROUPS = 12
"""Groups or lines that are printed of each part."""

_STYLES = {"new-failures": "bold red", "new-warnings": "bold yellow", "fixed": "bold green"}


def print_changes(changes: Changes, console: Console) -> None:
    """Print what changed, the worst first, and at last the verdict on all of it."""
    lines = Lines(console)
    parts = change_parts(changes)
    for part in parts:
        lines.title(f"{part.title} ({part.count:,})", _STYLES.get(part.name, "bold"))
        for group in part.groups[:MOST_GROUPS]:
            _print_group(lines, group, part.worse)
        for line in part.lines[:MOST_GROUPS]:
            lines.line(line, indent=2, hang=2)
        more = max(len(part.groups), len(part.lines)) - MOST_GROUPS
        if more > 0:
            lines.line(f"and {more} more; --format html shows all", "dim", indent=2)
    outcomes = {
        item.outcome
        for part in parts
        for group in part.groups
        for change in group.changes
        for item in (change.old, change.new)
        if item
    }
    lines.glossary("What the words mean", explained(outcomes))
    lines.console.print()
    for note in notes(changes):
        lines.line(f"Note: {note}", "yellow")
    lines.line(verdict(changes), "bold")


def _print_group(lines: Lines, group: ChangeGroup, worse: bool) -> None:
    lines.line(f"{group.sentence}: {group.who}", indent=2, hang=2)
    if group.reason:
        lines.line(group.reason, indent=6)
    if worse and group.numbers:
        lines.line(group.numbers, indent=6)
    lines.line(f"in {group.where}", "dim", indent=6, hang=2)
    if worse and group.example.new is not None and group.example.new.reproduce:
        lines.command(group.example.new.reproduce, indent=6)
