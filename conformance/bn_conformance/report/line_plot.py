"""Geometry of plots of the error ratio against a property of the data: one small panel per implementation.

An algorithm that subtracts large numbers shows as a line that climbs with the offset of the data: raw moments
E[x^2] - E[x]^2 by two decades a decade. A sound one stays flat, because the allowed error takes the conditioning in.
One running sum climbs with the size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, floor, inf, isfinite, isnan, log10

from bn_conformance.report.strip_plot import DTYPES, axis_of, decade_label, worst_ratio
from bn_conformance.report.summary import Summary
from bn_conformance.results.outcomes import NOT_JUDGED
from bn_conformance.results.records import CaseInfo

WIDTH, HEIGHT = 200, 120
"""Size of the area of a panel that holds the data."""


@dataclass(frozen=True)
class Point:
    """One marker: where it is, and the value and the worst ratio it stands for."""

    x: float
    y: float
    value: float
    ratio: float


@dataclass(frozen=True)
class Series:
    """The points of one dtype, by growing value."""

    dtype: str
    points: tuple[Point, ...]

    @property
    def path(self) -> str:
        """The line through the points, as an SVG path."""
        return "M" + "L".join(f"{point.x} {point.y}" for point in self.points)

    @property
    def places(self) -> list[tuple[float, float]]:
        """Where its markers are."""
        return [(point.x, point.y) for point in self.points]


@dataclass(frozen=True)
class Panel:
    """Worst ratio for one implementation."""

    implementation: str
    series: tuple[Series, ...]


@dataclass(frozen=True)
class LinePlot:
    """Panels that share their axes: the property across, the worst ratio upwards; ticks in pixels."""

    against: str
    family: str
    panels: tuple[Panel, ...]
    dtypes: tuple[str, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    one: float
    """Height at which the error is just the allowed error."""
    width: int = WIDTH
    height: int = HEIGHT

    def style(self, dtype: str) -> int:
        """The number of the style of a dtype: the known ones have the same in every plot."""
        return DTYPES.index(dtype) if dtype in DTYPES else len(DTYPES) + self.dtypes.index(dtype)


Property = Callable[[CaseInfo], float | None]
"""A property of the data of a case; None where the case is not about it."""


def relative_offset(case: CaseInfo) -> float | None:
    """Offset of the data in standard deviations."""
    offset, scale = case.axes.get("offset"), case.axes.get("scale", 1.0)
    if not isinstance(offset, int | float) or not isinstance(scale, int | float) or not scale > 0:
        return None
    relative = abs(offset / scale)
    return relative if isfinite(relative) else None


def size(case: CaseInfo) -> float | None:
    """Number of values per channel, of a case that is about its shape: then its layout names it, as `nc-129x3`."""
    count, layout = case.axes.get("n"), case.axes.get("layout")
    about = isinstance(layout, str) and "-" in layout and "offset" not in case.axes and "scale" not in case.axes
    return float(count) if about and isinstance(count, int) and 0 < count < 2**53 else None


def _family(summary: Summary, value_of: Property) -> str | None:
    """The family with the most values of a property: other families mix in what has nothing to do with it."""
    values: dict[str, set[float]] = {}
    for case in summary.infos.values():
        value = value_of(case)
        if value is not None:
            values.setdefault(case.family, set()).add(value)
    return max(values, key=lambda family: len(values[family]), default=None)


def _worst_ratios(summary: Summary, family: str, value_of: Property) -> dict[str, dict[str, dict[float, float]]]:
    """Worst ratio by implementation, dtype and value, of cases of which every quantity was judged.

    Where the variance cannot be judged any more, what is left (dbeta, say) would make the line fall.
    """
    worst: dict[str, dict[str, dict[float, float]]] = {}
    for implementation in summary.implementations:
        for entry in implementation.by_family.get(family, ()):
            value, ratio, dtype = value_of(entry.case), worst_ratio(entry), entry.case.axes.get("dtype")
            judged = all(quantity.outcome != NOT_JUDGED for quantity in entry.item.quantities)
            if value is not None and ratio is not None and isinstance(dtype, str) and judged:
                of_dtype = worst.setdefault(implementation.name, {}).setdefault(dtype, {})
                of_dtype[value] = max(of_dtype.get(value, 0.0), inf if isnan(ratio) else ratio)
    return worst


def _decades(value: float) -> float:
    """Place of a value on the axis, in decades; 0 stands one decade below 1, and nothing stands below that."""
    return log10(max(value, 0.1))


def _x_ticks(low: float, high: float, has_zero: bool) -> tuple[tuple[float, str], ...]:
    first, last = ceil(low) + has_zero, floor(high)
    step = max(1, ceil((last - first + 1) / 4))
    decades = range(first, last + 1, step)
    ticks = [(_across(10.0**decade, low, high), decade_label(decade)) for decade in decades]
    return ((0.0, "0"), *ticks) if has_zero else tuple(ticks)


def _across(value: float, low: float, high: float) -> float:
    return round(WIDTH * (_decades(value) - low) / (high - low), 1)


def line_plot(summary: Summary, against: str, value_of: Property) -> LinePlot | None:
    """The plot of the error ratio against a property, of implementations that were judged at two values of it or more.

    None where there are none.

    Args:
        summary: of the results.
        against: name of the property.
        value_of: the property of a case.
    """
    family = _family(summary, value_of)
    if family is None:
        return None
    worst = {
        name: of
        for name, of in _worst_ratios(summary, family, value_of).items()
        if any(len(members) > 1 for members in of.values())
    }
    values = sorted({value for by_dtype in worst.values() for members in by_dtype.values() for value in members})
    if not values or _decades(values[0]) == _decades(values[-1]):
        return None
    low, high = _decades(values[0]), _decades(values[-1])
    axis = axis_of(ratio for by_dtype in worst.values() for members in by_dtype.values() for ratio in members.values())
    judged = {dtype for by_dtype in worst.values() for dtype in by_dtype}
    dtypes = (*(dtype for dtype in DTYPES if dtype in judged), *sorted(judged.difference(DTYPES)))

    def series(dtype: str, members: Mapping[float, float]) -> Series:
        places = ((value, members[value]) for value in sorted(members))
        return Series(
            dtype,
            tuple(
                Point(_across(value, low, high), round(HEIGHT * (1 - axis.place(ratio)), 1), value, ratio)
                for value, ratio in places
            ),
        )

    return LinePlot(
        against=against,
        family=family,
        panels=tuple(
            Panel(name, tuple(series(dtype, of[dtype]) for dtype in dtypes if dtype in of))
            for name, of in worst.items()
        ),
        dtypes=dtypes,
        x_ticks=_x_ticks(low, high, values[0] <= 0.1),
        y_ticks=tuple((round(HEIGHT * (1 - place), 1), label) for place, label in axis.ticks),
        one=round(HEIGHT * (1 - axis.one), 1),
    )


def line_plots(summary: Summary) -> list[LinePlot]:
    """The plots against the offset and against the size, as far as cases have them."""
    plots = (line_plot(summary, "offset", relative_offset), line_plot(summary, "size", size))
    return [plot for plot in plots if plot]
