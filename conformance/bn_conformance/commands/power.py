"""`bnconform power`: which deviations the suite catches, and where first."""

from __future__ import annotations

import fnmatch
import sys
import time
from pathlib import Path

import click

from bn_conformance.mutation import kill_matrix
from bn_conformance.mutation.measuring import measure
from bn_conformance.mutation.power import Power, judged_cases
from bn_reference.deviations import catalogue

CAUGHT, SURVIVING = 0, 1
"""Exit codes: every mutant is caught, some survive."""

WRITERS = {"terminal": kill_matrix.to_text, "markdown": kill_matrix.to_markdown, "json": kill_matrix.to_json}


def power(deviations: tuple[str, ...], cases: tuple[str, ...], processes: int, format_: str, output: str) -> int:
    """Measure, print the kill matrix, and say which mutants survive."""
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
    text = WRITERS[format_](result, time.perf_counter() - start)
    if output and output != "-":
        Path(output).write_text(text + "\n", encoding="utf-8")
    else:
        click.echo(text)
    return SURVIVING if result.surviving else CAUGHT
