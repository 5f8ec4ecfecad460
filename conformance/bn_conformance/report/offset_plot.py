"""Geometry of the plot of error ratio against the offset of the data: one small panel per implementation.

An algorithm that subtracts large numbers shows as a line that climbs with the offset: raw moments E[x^2] - E[x]^2 by
two decades a decade. A sound one stays flat, because the allowed error takes the conditioning in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor, inf, isfinite, isnan, log10

from bn_conformance.report.strip_plot import DTYPES, axis_of, decade_label, worst_ratio
from bn_conformance.report.summary import Summary
from bn_conformance.results.outcomes import NOT_JUDGED

WIDTH, HEIGHT = 200, 120
"""Size of the area of a panel that holds the data."""


@dataclass(frozen=True)
class Point:
    """One marker: where it is, and the offset and the worst ratio it stands for."""

    x: float
    y: float
    offset: float
    ratio: float


@dataclass(frozen=True)
class Series:
    """The points of one dtype, by growing offset."""

    dtype: str
    points: tuple[Point, ...]

    @property
    def path(self) -> str:
        """The line through the points, as an SVG path."""
        return "M" + "L".join(f"{point.x} {point.y}" for point in self.points)

    def at(self, offset: float) -> Point | None:
        """The point at an offset."""
        return next((point for point in self.points if point.offset == offset), None)


@dataclass(frozen=True)
class Panel:
    """Worst ratio against offset for one implementation."""

    implementation: str
    series: tuple[Series, ...]


@dataclass(frozen=True)
class OffsetPlot:
    """Panels that share their axes: offset in standard deviations across, worst ratio upwards; ticks in pixels."""

    family: str
    panels: tuple[Panel, ...]
    dtypes: tuple[str, ...]
    offsets: tuple[float, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    one: float
    """Height at which the error is just the allowed error."""
    width: int = WIDTH
    height: int = HEIGHT


def _relative_offset(axes: Mapping[str, object]) -> float | None:
    """Offset of the data in standard deviations, None where a case has no such axis."""
    offset, scale = axes.get("offset"), axes.get("scale", 1.0)
    if not isinstance(offset, int | float) or not isinstance(scale, int | float) or not scale > 0:
        return None
    relative = abs(offset / scale)
    return relative if isfinite(relative) else None


def _family(summary: Summary) -> str | None:
    """The family that tests the most offsets: other families mix in what has nothing to do with the offset."""
    offsets: dict[str, set[float]] = {}
    for case in summary.infos.values():
        offset = _relative_offset(case.axes)
        if offset is not None:
            offsets.setdefault(case.family, set()).add(offset)
    return max(offsets, key=lambda family: len(offsets[family]), default=None)


def _worst_ratios(summary: Summary, family: str) -> dict[str, dict[str, dict[float, float]]]:
    """Worst ratio by implementation, dtype and offset, of cases of which every quantity was judged.

    Where the variance cannot be judged any more, what is left (dbeta, say) would make the line fall.
    """
    worst: dict[str, dict[str, dict[float, float]]] = {}
    for implementation in summary.implementations:
        for entry in implementation.by_family.get(family, ()):
            offset, ratio, dtype = _relative_offset(entry.case.axes), worst_ratio(entry), entry.case.axes.get("dtype")
            judged = all(quantity.outcome != NOT_JUDGED for quantity in entry.item.quantities)
            if offset is not None and ratio is not None and isinstance(dtype, str) and judged:
                of_dtype = worst.setdefault(implementation.name, {}).setdefault(dtype, {})
                of_dtype[offset] = max(of_dtype.get(offset, 0.0), inf if isnan(ratio) else ratio)
    return worst


def _decades(offset: float) -> float:
    """Place of an offset on the axis, in decades; 0 stands one decade below 1, and nothing stands below that."""
    return log10(max(offset, 0.1))


def _x_ticks(low: float, high: float, has_zero: bool) -> tuple[tuple[float, str], ...]:
    first, last = ceil(low) + has_zero, floor(high)
    step = max(1, ceil((last - first + 1) / 4))
    decades = range(first, last + 1, step)
    ticks = [(_across(10.0**decade, low, high), decade_label(decade)) for decade in decades]
    return ((0.0, "0"), *ticks) if has_zero else tuple(ticks)


def _across(offset: float, low: float, high: float) -> float:
    return round(WIDTH * (_decades(offset) - low) / (high - low), 1)


def offset_plot(summary: Summary) -> OffsetPlot | None:
    """The plot of the error ratio against the offset; None where fewer than two offsets were judged."""
    family = _family(summary)
    if family is None:
        return None
    worst = _worst_ratios(summary, family)
    offsets = sorted({offset for by_dtype in worst.values() for members in by_dtype.values() for offset in members})
    if not offsets or _decades(offsets[0]) == _decades(offsets[-1]):
        return None
    low, high = _decades(offsets[0]), _decades(offsets[-1])
    axis = axis_of(ratio for by_dtype in worst.values() for members in by_dtype.values() for ratio in members.values())
    judged = {dtype for by_dtype in worst.values() for dtype in by_dtype}
    dtypes = (*(dtype for dtype in DTYPES if dtype in judged), *sorted(judged.difference(DTYPES)))

    def series(dtype: str, members: Mapping[float, float]) -> Series:
        places = ((offset, members[offset]) for offset in sorted(members))
        return Series(
            dtype,
            tuple(
                Point(_across(offset, low, high), round(HEIGHT * (1 - axis.place(ratio)), 1), offset, ratio)
                for offset, ratio in places
            ),
        )

    return OffsetPlot(
        family=family,
        panels=tuple(
            Panel(name, tuple(series(dtype, of[dtype]) for dtype in dtypes if dtype in of))
            for name, of in worst.items()
        ),
        dtypes=dtypes,
        offsets=tuple(offsets),
        x_ticks=_x_ticks(low, high, offsets[0] <= 0.1),
        y_ticks=tuple((round(HEIGHT * (1 - place), 1), label) for place, label in axis.ticks),
        one=round(HEIGHT * (1 - axis.one), 1),
    )
