"""The kill matrix: which family of cases catches each mutant, by how much, as text, Markdown and JSON."""

from __future__ import annotations

import json
import math

from bn_conformance.mutation.catch import ROBUST
from bn_conformance.mutation.power import Power
from bn_conformance.text import counted
from bn_reference.specification.clauses import families

FIRST = "first case that catches it (error / allowed)"


def power_text(power: Power, seconds: float) -> str:
    """The matrix in aligned columns, and a summary."""
    rows = [_headings(), *_rows(power)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", *_summary(power, seconds)])


def to_markdown(power: Power, seconds: float) -> str:
    """The matrix as a Markdown table, and a summary."""
    rows = [_headings(), ["---"] * len(_headings()), *_rows(power)]
    return "\n".join([*("| " + " | ".join(row) + " |" for row in rows), "", *_summary(power, seconds)])


def power_json(power: Power, seconds: float) -> str:
    """The matrix, the surviving mutants and the score as a JSON document."""
    deviations = {
        name: {
            "clause": deviation.clause,
            "convention": dict(deviation.convention),
            "sentence": deviation.sentence,
            "effect": deviation.effect,
            "link": deviation.link,
            "families": {family: _ratio(ratio) for family, ratio in power.by_family(name).items()},
            "first": first.case if (first := power.first(name)) else None,
            "caught": name not in power.surviving,
        }
        for name, deviation in power.deviations.items()
    }
    document = {
        "cases": power.cases,
        "whole": power.is_whole,
        "seconds": round(seconds, 3),
        "caught": power.caught,
        "survivors": power.surviving,
        "deviations": deviations,
    }
    return json.dumps(document, indent=2)


def _headings() -> list[str]:
    return ["deviation", "clause", *families(), FIRST]


def _rows(power: Power) -> list[list[str]]:
    """Of each mutant: name, clause (or `convention`), the ratio in each family, and the first case that catches it."""
    rows = []
    for name, deviation in power.deviations.items():
        ratios, first = power.by_family(name), power.first(name)
        where = f"{first.case} ({_ratio(first.ratio)})" if first else "SURVIVES"
        cells = [_cell(ratios.get(family)) for family in families()]
        rows.append([name, deviation.clause or "convention", *cells, where])
    return rows


def _cell(ratio: float | None) -> str:
    """A ratio in few characters, `x` where no number is wrong but something else is; empty for None."""
    if ratio is None or math.isinf(ratio):
        return "" if ratio is None else "x"
    return f"{ratio:.0e}" if ratio >= 1000 else f"{ratio:.0f}"


def _ratio(ratio: float) -> str:
    return "no number" if math.isinf(ratio) else f"{ratio:.3g}"


def _summary(power: Power, seconds: float) -> list[str]:
    count, surviving = len(power.deviations), power.surviving
    lines = [f"{counted(count, 'deviation')} judged on {counted(power.cases, 'case')} in {seconds:.0f} s"]
    if not power.is_whole:
        lines.append("each up to the first case that catches it; with --everywhere every family of cases is asked")
    elif power.fragile:
        lines.append(f"caught, but nowhere by {ROBUST:g} times what is allowed: {', '.join(power.fragile)}")
    lines.append(f"mutation score: {power.caught} of {count} caught ({power.caught / count:.1%})")
    names = ", ".join(surviving)
    lines.append(f"surviving mutants: {len(surviving)}" + (f": {names}" if names else ""))
    return lines
