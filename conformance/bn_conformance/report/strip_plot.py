"""Geometry of strip plots: coordinates and paths, no markup; the templates draw them as inline SVG.

A strip shows ratios (error / allowed error) on a logarithmic axis, one dot each, as one path per kind of outcome: a
path of zero-length lines with round caps is the smallest way to draw thousands of dots.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite, isnan, log10
from statistics import median

from bn_conformance.report.entries import Entry
from bn_conformance.results.outcomes import NOT_JUDGED, ItemVerdict
from bn_conformance.text import number

LOWEST = -4
"""Decade at which the axes of ratios begin; smaller ratios, and exact results, are drawn there."""
HIGHEST = 8
"""Decade at which they end at the latest; larger ratios, and those that are not finite, are drawn there."""
STRIP_WIDTH = 1000
_LANES = (6, 3, 9, 4, 8, 2, 10)
"""Heights at which dots of nearly the same ratio are drawn, so that they are seen apart."""
DTYPES = ("float16", "bfloat16", "float32", "float64")


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis of ratios, in decades."""

    low: int
    high: int

    def place(self, ratio: float) -> float:
        """Position from 0 to 1; what is beyond an end is at that end."""
        if isnan(ratio) or ratio == inf:
            return 1.0
        decades = log10(ratio) if ratio > 0 else float(self.low)
        return min(max((decades - self.low) / (self.high - self.low), 0.0), 1.0)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Positions from 0 to 1 and labels, every second decade; the ends say what they hold."""
        step = 2 if self.high - self.low > 4 else 1
        inner = range(self.low + step, self.high, step)
        middle = [((decade - self.low) / (self.high - self.low), decade_label(decade)) for decade in inner]
        return [(0.0, f"≤{decade_label(self.low)}"), *middle, (1.0, f"≥{decade_label(self.high)}")]

    @property
    def one(self) -> float:
        """Where the error is just the allowed error."""
        return self.place(1.0)


def decade_label(decade: int) -> str:
    """A power of ten as a label: `0.1`, `1`, `100`, `1e4`."""
    return {0: "1", 1: "10", 2: "100", 3: "1000", -1: "0.1"}.get(decade, f"1e{decade}")


def axis_of(ratios: Iterable[float]) -> Axis:
    """The axis for ratios: from `LOWEST` to at least 100."""
    finite = [ratio for ratio in ratios if isfinite(ratio) and ratio > 0]
    top = ceil(log10(max(finite, default=1.0)))
    top += (top - LOWEST) % 2
    return Axis(LOWEST, min(max(top, 2), HIGHEST))


@dataclass(frozen=True)
class Strip:
    """The ratios of some entries: what a row of a strip plot shows, and the numbers that stand beside it."""

    count: int
    middle: str
    worst: str
    paths: tuple[tuple[str, str], ...]
    """Style and SVG path of each kind of dots."""


def worst_ratio(entry: Entry) -> float | None:
    """The worst ratio of an entry, of all its quantities that were judged."""
    judged = (quantity for quantity in entry.item.quantities if quantity.outcome != NOT_JUDGED)
    ratios = [quantity.ratio for quantity in judged if quantity.ratio is not None]
    return max(ratios, key=lambda ratio: inf if isnan(ratio) else ratio, default=None)


def strip(entries: Iterable[Entry], axis: Axis) -> Strip:
    """The strip of entries; those without a ratio are left out."""
    by_style: dict[str, list[float]] = {}
    for entry in entries:
        ratio = worst_ratio(entry)
        if ratio is not None:
            by_style.setdefault(entry.sign.name, []).append(ratio)
    ratios = [ratio for members in by_style.values() for ratio in members]
    if not ratios:
        return Strip(0, "", "", ())
    bins: dict[int, int] = {}
    paths = [(style, _dots(members, axis, bins)) for style, members in sorted(by_style.items())]
    top = max(ratios, key=lambda ratio: inf if isnan(ratio) else ratio)
    return Strip(len(ratios), number(median(ratios)), number(top), tuple(paths))


def _dots(ratios: Sequence[float], axis: Axis, bins: dict[int, int]) -> str:
    """A path with a dot for each ratio; dots that would cover each other more than `_LANES` deep are drawn once."""
    parts = []
    for ratio in ratios:
        place = round(axis.place(ratio) * STRIP_WIDTH / 8)
        lane = bins.get(place, 0)
        bins[place] = lane + 1
        if lane < len(_LANES):
            parts.append(f"M{place * 8} {_LANES[lane]}h0")
    return "".join(parts)


def by_dtype(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Entries that were run, by the format of the data, the known formats in order."""
    members: dict[str, list[Entry]] = {dtype: [] for dtype in DTYPES}
    for entry in entries:
        dtype = entry.case.axes.get("dtype")
        if isinstance(dtype, str) and entry.item.verdict not in (ItemVerdict.UNSUPPORTED, ItemVerdict.NOT_ASKED):
            members.setdefault(dtype, []).append(entry)
    return {dtype: alike for dtype, alike in members.items() if alike}
