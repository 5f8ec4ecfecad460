"""The changes between two runs on a terminal: what got worse first, then what got better, then what merely changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console

from bn_conformance.report.changes import Changes, ConventionChange, ItemChange
from bn_conformance.report.legend import explained, readable
from bn_conformance.report.lines import Lines
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Item, split_id
from bn_conformance.text import counted

MOST_LINES = 40
"""Lines that are printed of each part."""


def print_changes(changes: Changes, console: Console) -> None:
    """Print what changed, the worst first, and at last the verdict on all of it."""
    lines = Lines(console)
    for title, style, entries in _parts(changes):
        shown = list(entries)
        more = [f"and {len(shown) - MOST_LINES} more"] if len(shown) > MOST_LINES else []
        lines.section(f"{title} ({len(shown)})", [*shown[:MOST_LINES], *more], style)
    lines.glossary("What the words mean", explained(_outcomes(changes)))
    lines.console.print()
    if not changes.same_suite:
        lines.line("Note: the two runs were judged by different versions of the suite.", "yellow")
    if changes.cut_off:
        lines.line("Note: the new run did not end; its file was cut off.", "yellow")
    lines.line(_verdict(changes), "bold")


def _parts(changes: Changes) -> Iterator[tuple[str, str, Iterable[str]]]:
    """Title, style and lines of each part."""
    worse = [change for change in changes.changed_level if change.worse]
    better = [change for change in changes.changed_level if not change.worse]
    yield "Fail now and did not before", "bold red", map(_with_reason, changes.new_failures)
    yield "Warn now and passed before", "bold yellow", map(_with_reason, changes.warned)
    cannot = (f"{name}: {reason}" for name, reason in changes.not_installed)
    yield "Implementations that cannot run any more", "bold", cannot
    yield "Implementations that are gone", "bold", changes.vanished
    yield "Cases that are not supported any more", "bold", map(_sentence, changes.dropped)
    stale = (f"{fault.file}:{fault.line} {fault.message}" for fault in changes.stale_faults)
    yield "Known faults that are gone: delete these entries", "bold", stale
    yield "Fixed", "bold green", map(_with_reason, changes.fixed)
    yield "On the list of known faults now", "bold", map(_with_reason, changes.newly_excused)
    yield "Worse outcome, same verdict", "bold", map(_sentence, worse)
    yield "Better outcome, same verdict", "bold", map(_sentence, better)
    yield "Changed conventions", "bold", map(_convention, changes.conventions)
    versions = (f"{name}, {distribution}: {old} -> {new}" for name, distribution, old, new in changes.versions)
    yield "Changed versions", "bold", versions
    yield "New implementations", "bold", changes.appeared
    yield "New cases", "bold", changes.appeared_cases
    yield "Cases that are gone", "bold", changes.vanished_cases


def _verdict(changes: Changes) -> str:
    if changes.empty:
        return "✓ Nothing changed."
    if not changes.regressed:
        return "✓ Nothing got worse."
    worse = [counted(len(changes.new_failures), "new failure")] * bool(changes.new_failures)
    worse += [counted(len(changes.warned), "new warning")] * bool(changes.warned)
    return f"✕ Something got worse{': ' * bool(worse)}{' and '.join(worse)}."


def _sentence(change: ItemChange) -> str:
    """Before and after, in words: `torch.nn on stat/nc: tight -> wrong (fail)`."""
    implementation, case = split_id(change.id)
    return f"{implementation} on {case}: {_outcome(change.old)} -> {_outcome(change.new)}"


def _outcome(item: Item | None) -> str:
    if item is None:
        return "not there"
    shown = readable(item.outcome)
    return shown if item.verdict in (ItemVerdict.PASS, item.outcome) else f"{shown} ({item.verdict})"


def _with_reason(change: ItemChange) -> str:
    reason = change.new and (change.new.known_fault or change.new.message)
    return f"{_sentence(change)}{f': {reason}' if reason else ''}"


def _convention(change: ConventionChange) -> str:
    nonstandard = " (nonstandard)" if change.nonstandard else ""
    return f"{change.implementation}, {change.choice}: {change.old} -> {change.new}{nonstandard}"


def _outcomes(changes: Changes) -> set[str]:
    """The outcomes that are named."""
    told = (*changes.new_failures, *changes.warned, *changes.fixed, *changes.newly_excused, *changes.changed_level)
    return {item.outcome for change in (*told, *changes.dropped) for item in (change.old, change.new) if item}
