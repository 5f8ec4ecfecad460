"""A bar that shows how many cases have each kind of outcome, best at the left: geometry, which templates draw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bn_conformance.report.entries import Entry
from bn_conformance.report.legend import RUN_KINDS
from bn_conformance.text import counted

LEVEL_WIDTH = 200
"""Width of a whole bar."""


@dataclass(frozen=True)
class LevelBar:
    """The parts of a bar, each with the name of its kind, where it begins and how wide it is; and the same in words."""

    parts: tuple[tuple[str, float, float], ...]
    words: str


def level_bar(entries: Iterable[Entry]) -> LevelBar:
    """The bar of entries that were run. Every kind that occurs is at least a pixel wide."""
    counts = Counter(entry.kind.name for entry in entries)
    shown = [(kind.name, counts[kind.name]) for kind in RUN_KINDS if counts[kind.name]]
    total = sum(count for _, count in shown)
    widths = [max(count / total * LEVEL_WIDTH, 1.5) for _, count in shown]
    shrink = LEVEL_WIDTH / sum(widths) if widths else 1.0
    parts, left = [], 0.0
    for (name, _), width in zip(shown, widths, strict=True):
        parts.append((name, round(left, 1), round(width * shrink, 1)))
        left += width * shrink
    return LevelBar(tuple(parts), ", ".join(f"{count:,} {name}" for name, count in shown) or counted(0, "case"))
