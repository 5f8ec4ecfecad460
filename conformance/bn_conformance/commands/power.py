"""`bnconform power`: which deviations the suite catches, and where first."""

from __future__ import annotations

import fnmatch
import json
import sys
import time
from pathlib import Path

import click

from bn_conformance.mutation.power import ROBUST, Power, judged_cases, measure
from bn_reference.deviations import catalogue
from bn_reference.specification.clauses import families

CAUGHT, SURVIVORS = 0, 1


def power(deviations: tuple[str, ...], cases: tuple[str, ...], processes: int, format_: str, output: str) -> int:
    """Measure, print the kill matrix, and say which deviations survive."""
    from bn_conformance.catalogue.selection import SelectionError

    names = [name for name in catalogue() if not deviations or any(fnmatch.fnmatch(name, one) for one in deviations)]
    if not names:
        raise click.UsageError(
            f"no deviation matches {', '.join(deviations)}; bnconform power without names lists them"
        )
    try:
        chosen = judged_cases(cases)
    except SelectionError as error:
        raise click.UsageError(str(error)) from None
    if processes < 0:
        raise click.UsageError(f"-n is {processes}; allowed are numbers from 0 (one a core)")
    start, result = time.perf_counter(), None
    with click.progressbar(
        length=1000, label=f"{len(names)} deviations", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        for step in measure(names, chosen, processes):
            if isinstance(step, Power):
                result = step
            else:
                bar.update(round(1000 * step) - bar.pos)
    assert result is not None
    text = {"terminal": _terminal, "markdown": _markdown, "json": _json}[format_](result, time.perf_counter() - start)
    if output and output != "-":
        Path(output).write_text(text + "\n", encoding="utf-8")
    else:
        click.echo(text)
    return SURVIVORS if result.survivors else CAUGHT


def _rows(result: Power) -> list[list[str]]:
    """Name, clause (or convention), by how much each family catches it, and the first case that does with its ratio."""
    rows = []
    for name, deviation in result.deviations.items():
        found, first = result.by_family(name), result.first(name)
        clause = deviation.clause or "convention"
        where = f"{first.case} ({_ratio(first.ratio)})" if first else "SURVIVES"
        rows.append([name, clause, *(_cell(found.get(family)) for family in families()), where])
    return rows


def _cell(ratio: float | None) -> str:
    if ratio is None or ratio == float("inf"):
        return "" if ratio is None else "x"
    return f"{ratio:.0e}" if ratio >= 1000 else f"{ratio:.0f}"


def _ratio(ratio: float) -> str:
    return "no number" if ratio == float("inf") else f"{ratio:.3g}"


def _closing(result: Power, seconds: float) -> list[str]:
    lines = [f"{len(result.deviations)} deviations on {result.cases} cases in {seconds:.0f} s"]
    if result.fragile:
        lines.append(f"caught, but nowhere by {ROBUST:g} times what is allowed: {', '.join(result.fragile)}")
    lines.append(f"survivors: {len(result.survivors)}{': ' if result.survivors else ''}{', '.join(result.survivors)}")
    return lines


def _terminal(result: Power, seconds: float) -> str:
    head = ["deviation", "clause", *families(), "first case that catches it (error / allowed)"]
    rows = [head, *_rows(result)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head) - 1)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", *_closing(result, seconds)])


def _markdown(result: Power, seconds: float) -> str:
    head = ["deviation", "clause", *families(), "first case that catches it (error / allowed)"]
    rows = [head, ["---"] * len(head), *_rows(result)]
    return "\n".join([*("| " + " | ".join(row) + " |" for row in rows), "", *_closing(result, seconds)])


def _json(result: Power, seconds: float) -> str:
    found = {
        name: {
            "clause": deviation.clause,
            "convention": dict(deviation.convention),
            "sentence": deviation.sentence,
            "effect": deviation.effect,
            "link": deviation.link,
            "families": {family: _ratio(ratio) for family, ratio in result.by_family(name).items()},
            "first": first.case if (first := result.first(name)) else None,
            "caught": name not in result.survivors,
        }
        for name, deviation in result.deviations.items()
    }
    return json.dumps({"cases": result.cases, "survivors": result.survivors, "deviations": found}, indent=2)
