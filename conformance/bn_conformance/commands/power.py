"""`bnconform power`: which deviations the suite catches, and where first."""

from __future__ import annotations

import fnmatch
import sys
import time
from collections.abc import Sequence

import click

from bn_conformance.commands.declaring import Output, SuiteCommand, output_options, run_options
from bn_conformance.mutation import kill_matrix
from bn_conformance.mutation.measuring import measure
from bn_conformance.mutation.power import Power, judged_cases
from bn_conformance.results.exit_codes import CONFORMS, FAILS
from bn_conformance.user_error import UserError
from bn_reference.deviations import catalogue

WRITERS = {"terminal": kill_matrix.power_text, "markdown": kill_matrix.to_markdown, "json": kill_matrix.power_json}
"""How the kill matrix is written, by format."""


@click.command(cls=SuiteCommand, epilog="Exit codes: 0 every deviation is caught, 1 some survives, 2 usage.")
@click.argument("deviations", nargs=-1, metavar="[DEVIATION]...")
@run_options("cases")
@click.option("-n", "processes", type=int, default=0, metavar="N", help="Processes  [default: one a core]")
@output_options("terminal", "markdown", "json")
def command(deviations: tuple[str, ...], cases: tuple[str, ...], processes: int, format_: str, output: str) -> int:
    """Show which deviations the suite catches, and where.

    DEVIATION is the name of a mutant in the catalogue, or a pattern of * and ?; all without.
    """
    names = [
        name for name in catalogue() if not deviations or any(fnmatch.fnmatch(name, pattern) for pattern in deviations)
    ]
    if not names:
        raise UserError(f"no deviation matches {', '.join(deviations)}; bnconform power without names lists them")
    if processes < 0:
        raise UserError(f"-n is {processes}; allowed are numbers from 0 (one a core)")
    start = time.perf_counter()
    result = _measured(names, judged_cases(cases), processes)
    Output(output).write(WRITERS[format_](result, time.perf_counter() - start))
    return FAILS if result.surviving else CONFORMS


def _measured(names: Sequence[str], cases: Sequence[str], processes: int) -> Power:
    """The power of the cases against the deviations, with a progress bar meanwhile."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=1000, label=f"{len(names)} deviations", file=sys.stderr, hidden=hidden) as bar:
        for step in measure(names, cases, processes):
            if isinstance(step, Power):
                return step
            bar.update(round(1000 * step) - bar.pos)
    raise AssertionError("the measurement ended without a result")
