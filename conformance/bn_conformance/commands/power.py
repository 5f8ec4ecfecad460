"""`bnconform power`: which deviations the suite catches, and where first."""

from __future__ import annotations

import fnmatch
import sys
import time
from collections.abc import Iterator, Sequence

import click

from bn_conformance.commands.declaring import Output, SuiteCommand, output_options, run_options
from bn_conformance.judges.measuring import SuiteVerdicts, judge_by, rows_of
from bn_conformance.judges.suite import suites_named
from bn_conformance.judges.tables import against_json, against_markdown, against_text
from bn_conformance.mutation import kill_matrix
from bn_conformance.mutation.attack import attack, first_catches
from bn_conformance.mutation.measuring import measure
from bn_conformance.mutation.power import Power, judged_cases
from bn_conformance.mutation.sampling import Mutant, sample
from bn_conformance.mutation.survivors import Attacked, attacked_json, attacked_markdown, attacked_text
from bn_conformance.results.exit_codes import CONFORMS, FAILS
from bn_conformance.text import did_you_mean
from bn_conformance.user_error import UserError
from bn_reference.deviations import catalogue

WRITERS = {"terminal": kill_matrix.power_text, "markdown": kill_matrix.to_markdown, "json": kill_matrix.power_json}
"""How the kill matrix is written, by format."""


ATTACK_WRITERS = {"terminal": attacked_text, "markdown": attacked_markdown, "json": attacked_json}
"""How the fates of conditional mutants are written, by format."""

AGAINST_WRITERS = {"terminal": against_text, "markdown": against_markdown, "json": against_json}
"""How the verdicts of other suites are written, by format."""


@click.command(
    cls=SuiteCommand,
    epilog="Exit codes: 0 every deviation is caught, 1 some survives, 2 usage. With --conditional, a survivor that "
    "conformance/bn_conformance/mutation/explained.py explains is no reason for 1. With --against always 0.",
)
@click.argument("deviations", nargs=-1, metavar="[DEVIATION]...")
@run_options("cases")
@click.option("-n", "processes", type=int, default=0, metavar="N", help="Processes  [default: one a core]")
@click.option(
    "--first/--everywhere",
    default=None,
    help="End the search for each deviation with the first case that catches it, or ask every family of cases, which "
    "takes many times as long.  [default: --everywhere for named deviations, else --first]",
)
@click.option(
    "--conditional",
    type=int,
    default=0,
    metavar="N",
    help="Judge N conditional mutants instead: deviations that act only under a condition on shape, layout, format, "
    "mode, step, data or memory.",
)
@click.option("--pairs", is_flag=True, help="With --conditional: a third of them act under two conditions together.")
@click.option("--seed", type=int, default=1, metavar="S", help="Of the draw of --conditional  [default: 1]")
@click.option(
    "--against",
    multiple=True,
    metavar="SUITE",
    help="Judge the deviations and right algorithms by another suite's inputs and tolerances instead: "
    "kernelbench, opinfo, onnx, ..., or all.",
)
@output_options("terminal", "markdown", "json")
def command(
    deviations: tuple[str, ...],
    cases: tuple[str, ...],
    processes: int,
    first: bool | None,
    conditional: int,
    pairs: bool,
    seed: int,
    against: tuple[str, ...],
    format_: str,
    output: str,
) -> int:
    """Show which deviations the suite catches, and where.

    DEVIATION is the name of a mutant in the catalogue, or a pattern of * and ?; all without.
    """
    names = [
        name for name in catalogue() if not deviations or any(fnmatch.fnmatch(name, pattern) for pattern in deviations)
    ]
    for pattern in deviations:
        if not any(fnmatch.fnmatch(name, pattern) for name in names):
            hint = did_you_mean(pattern, catalogue(), "bnconform power without names lists them")
            raise UserError(f"no deviation matches {pattern}{hint}")
    if processes < 0:
        raise UserError(f"-n is {processes}; allowed are numbers from 0 (one a core)")
    if conditional < 0:
        raise UserError(f"--conditional is {conditional}; allowed are numbers from 1")
    if first is not None and (conditional or against):
        raise UserError(
            "--first and --everywhere are for the deviations themselves; leave out --conditional and --against"
        )
    if pairs and not conditional:
        raise UserError("--pairs draws conditions; give --conditional N")
    if against and (conditional or cases):
        raise UserError("--against judges by the inputs of other suites; leave out --conditional and --case")
    if against:
        start = time.perf_counter()
        verdicts = _judged_by(rows_of(suites_named(against)), names, processes)
        Output(output).write(AGAINST_WRITERS[format_](verdicts, time.perf_counter() - start))
        return CONFORMS
    if conditional:
        attacked = _attacked(sample(conditional, seed, names, pairs), seed, judged_cases(cases), processes)
        Output(output).write(ATTACK_WRITERS[format_](attacked))
        return FAILS if attacked.unexplained else CONFORMS
    start = time.perf_counter()
    whole = bool(deviations) if first is None else not first
    measured = measure if whole else first_catches
    result = _shown(measured(names, judged_cases(cases), processes), len(names))
    Output(output).write(WRITERS[format_](result, time.perf_counter() - start))
    return FAILS if result.surviving else CONFORMS


def _shown(steps: Iterator[float | Power], count: int) -> Power:
    """The result of a measurement of this many deviations, with a progress bar meanwhile."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=1000, label=f"{count} deviations", file=sys.stderr, hidden=hidden) as bar:
        for step in steps:
            if isinstance(step, Power):
                return step
            bar.update(round(1000 * step) - bar.pos)
    raise AssertionError("the measurement ended without a result")


def _judged_by(rows: Sequence[str], names: Sequence[str], processes: int) -> list[SuiteVerdicts]:
    """The verdicts of suites, with a progress bar meanwhile."""
    verdicts: list[SuiteVerdicts] = []
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=1000, label=f"{len(rows)} suites", file=sys.stderr, hidden=hidden) as bar:
        for step in judge_by(rows, names, processes):
            if isinstance(step, SuiteVerdicts):
                verdicts.append(step)
            else:
                bar.update(round(1000 * step) - bar.pos)
    return verdicts


def _attacked(mutants: Sequence[Mutant], seed: int, cases: Sequence[str], processes: int) -> Attacked:
    """What becomes of the mutants, with a progress bar meanwhile."""
    start, fates = time.perf_counter(), {}
    hidden = not sys.stderr.isatty()
    label = f"{len(mutants)} conditional mutants"
    with click.progressbar(length=len(mutants), label=label, file=sys.stderr, hidden=hidden) as bar:
        for fate in attack(mutants, cases, processes):
            fates[fate.mutant.text] = fate
            bar.update(1)
    in_order = tuple(fates[mutant.text] for mutant in mutants)
    return Attacked(in_order, seed, len(cases), time.perf_counter() - start)
