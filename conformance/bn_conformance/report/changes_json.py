"""The changes between two runs as plain data, for other programs."""

from __future__ import annotations

from typing import Any

from bn_conformance.report.change_groups import ChangeGroup, Part, change_parts, notes, verdict
from bn_conformance.report.changes import Changes


def changes_json(changes: Changes) -> dict[str, Any]:
    """What changed: the verdict, notes, and each part with its groups; a ratio that is not finite is a text."""
    return {
        "verdict": verdict(changes),
        "regressed": changes.regressed,
        "notes": notes(changes),
        "parts": [_part(part) for part in change_parts(changes)],
    }


def _part(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "title": part.title,
        "worse": part.worse,
        "count": part.count,
        "groups": [_group(group) for group in part.groups],
        "lines": list(part.lines),
    }


def _group(group: ChangeGroup) -> dict[str, Any]:
    new = group.example.new
    return {
        "before": group.before,
        "after": group.after,
        "quantities": list(group.quantities),
        "clauses": list(group.clauses),
        "reason": group.reason,
        "old_ratio": _number(group.old_ratio),
        "new_ratio": _number(group.new_ratio),
        "implementations": group.implementations,
        "cases": list(group.cases),
        "reproduce": "" if new is None else new.reproduce,
    }


def _number(value: float | None) -> float | str | None:
    return str(value) if value in (float("inf"), float("-inf")) else value
