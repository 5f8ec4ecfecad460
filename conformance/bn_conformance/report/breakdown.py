"""The matrix by what its columns may be: families of clauses, formats of the data, layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bn_conformance.report.entries import Entry, Tally
from bn_conformance.report.strip_plot import DTYPES
from bn_conformance.report.summary import Summary
from bn_conformance.results.records import CaseInfo


def data_format(case: CaseInfo) -> str:
    """The format of the data of a case, such as `float32` or `float16-p-float32`; empty where it has none."""
    dtype = case.axes.get("dtype")
    return dtype if isinstance(dtype, str) else ""


def data_layout(case: CaseInfo) -> str:
    """The layout of a case without its shape: `nchw` of `nchw-3x3x3x3`; empty where it has none."""
    layout = case.axes.get("layout")
    return layout.partition("-")[0] if isinstance(layout, str) else ""


@dataclass(frozen=True)
class Breakdown:
    """The cases of each implementation by one property.

    Attributes:
        name: of the property: `family`, `format` or `layout`.
        columns: its values.
        cells: per implementation, the tallies of the values that it has cases of.
    """

    name: str
    columns: tuple[str, ...]
    cells: Mapping[str, Mapping[str, Tally]]


def breakdowns(summary: Summary) -> tuple[Breakdown, ...]:
    """The matrix by family, by format and by layout; by what has no value in any case it is left out."""
    by_format = _breakdown(summary, "format", data_format, DTYPES)
    by_layout = _breakdown(summary, "layout", data_layout, ())
    by_family = Breakdown("family", summary.families, {one.name: one.families for one in summary.implementations})
    return (by_family, *(one for one in (by_format, by_layout) if one.columns))


def _breakdown(summary: Summary, name: str, key: Callable[[CaseInfo], str], first: Iterable[str]) -> Breakdown:
    used = {value: None for value in map(key, summary.infos.values()) if value}
    columns = tuple(dict.fromkeys([*(value for value in first if value in used), *used]))
    cells = {}
    for one in summary.implementations:
        members: dict[str, list[Entry]] = {value: [] for value in columns}
        for entry in one.entries:
            members.get(key(entry.case), []).append(entry)
        cells[one.name] = {value: Tally.of(alike) for value, alike in members.items() if alike}
    return Breakdown(name, columns, cells)
