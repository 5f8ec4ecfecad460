"""`bnconform fuzz`: drawn configurations on one implementation, judged by the runner of the matrix."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue.regressions import Regression, read_all
from bn_conformance.commands.declaring import SuiteCommand, check_seconds, run_option, run_options, target_options
from bn_conformance.commands.subject import single_implementation, target_of
from bn_conformance.commands.violation import keep, known_fault_hint, slug, violation_text
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.implementations.known_faults import shipped_and_own
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.runner import Runner
from bn_conformance.options import RunOptions
from bn_conformance.report.failure import item_text
from bn_conformance.results.exit_codes import CONFORMS, EXIT_NOT_JUDGED, FAILS
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.user_error import UserError

FOLDER = "regressions"
"""Where regressions are written, and looked for."""


@click.command(
    cls=SuiteCommand,
    epilog="Exit codes: 0 nothing found, 1 a violation found, 2 usage, 3 nothing was judged.",
)
@click.argument("target")
@target_options
@click.option("--seconds", type=float, default=30.0, show_default=True, help="How long configurations are drawn.")
@click.option("--configs", type=int, default=0, metavar="N", help="At most so many configurations.")
@click.option("--seed", type=int, default=0, show_default=True, help="Equal seeds draw equal cases.")
@click.option("--without", multiple=True, metavar="ID", help="Draw no case of this clause or family.")
@click.option("--out", default="", metavar="FILE", help="Regression to write  [default: regressions/NAME.json]")
@run_option("regressions", default=(), help="Regressions to run first: files or folders  [default: ./regressions]")
@run_options("level", "device", "known_faults", "timeout", timeout=60.0)
@run_option("in_process", default=False, help="Run layers in this process: faster, but a crash ends the search.")
def command(
    target: str,
    kind: str,
    convention: tuple[str, ...],
    names: tuple[str, ...],
    arguments: tuple[str, ...],
    seconds: float,
    configs: int,
    seed: int,
    without: tuple[str, ...],
    out: str,
    regressions: tuple[str, ...],
    **options: Any,
) -> int:
    """Look for a violation with drawn configurations, and make it small.

    Configurations and sequences are judged as the matrix does. The smallest case that fails is written as a
    regression, which later runs replay first.
    """
    run_options_ = RunOptions(**options)
    check_seconds("--seconds", seconds)
    check_seconds("--timeout", run_options_.timeout)
    if configs < 0:
        raise UserError(f"--configs is {configs}; allowed are numbers from 0, which sets no limit")
    if out and Path(out).is_dir():
        raise UserError(f"--out {out} is a folder; name a file")
    need_hypothesis()
    address = target_of(target, kind, convention, names, arguments)
    implementation = single_implementation(address, run_options_.device)
    saved = _saved_regressions(regressions, out, implementation)
    plan = Plan(run_options_, (implementation,), (), shipped_and_own(run_options_.known_faults), saved)
    runner = Runner(plan)
    try:
        warnings.simplefilter("ignore")  # what an implementation in this process warns of is its own affair
        if _replay(runner, implementation, saved):
            return FAILS
        return _draw(runner, plan, seconds, configs, seed, without, out)
    finally:
        runner.close()


def need_hypothesis() -> None:
    """See that Hypothesis is there, and that it leaves nothing in the working directory.

    Raises:
        UserError: it is not installed.
    """
    # Hypothesis keeps what it reads of the sources in a folder of the working directory; nobody asked for that.
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(tempfile.gettempdir()) / "bnconform-hypothesis"))
    try:
        import hypothesis  # noqa: F401 - only whether it is there
    except ImportError:
        raise UserError("fuzz needs hypothesis; run: pip install 'bnconform[fuzz]'") from None


def _saved_regressions(named: Sequence[str], out: str, implementation: Implementation) -> tuple[Regression, ...]:
    """The regressions that are named; where none is, those that were written for this implementation."""
    paths = list(named)
    if not paths:
        own = re.compile(re.escape(slug(implementation.name)) + r"-[0-9a-f]+\.json")
        paths = sorted(str(path) for path in Path(FOLDER).glob("*.json") if own.fullmatch(path.name))
    if out and Path(out).exists():
        paths.append(out)
    return read_all(paths)


def _replay(runner: Runner, implementation: Implementation, saved: Sequence[Regression]) -> bool:
    """Whether a saved regression still fails; each that does is explained."""
    supported = [
        regression for regression in saved if unsupported_reason(regression.case, implementation.capabilities) is None
    ]
    judged = [(regression, runner.run(implementation, regression.case)) for regression in supported]
    failing = [(regression, item) for regression, item in judged if item.verdict == ItemVerdict.FAIL.value]
    for regression, item in failing:
        click.echo(item_text(item, regression.case, regression.path))
    if saved:
        unsupported = len(saved) - len(judged)
        click.echo(f"{len(failing)} of {len(judged)} saved regressions fail ({unsupported} not supported)", err=True)
    return bool(failing)


def _draw(
    runner: Runner, plan: Plan, seconds: float, configs: int, seed: int, without: tuple[str, ...], out: str
) -> int:
    """Draw until something fails or the time is over; gives the exit code."""
    from bn_conformance.fuzz.search import search
    from bn_conformance.fuzz.strategies import cases

    (implementation,) = plan.implementations
    try:
        strategy = cases(implementation.capabilities, excluded_clauses(without))
        outcome = search(lambda case: runner.run(implementation, case), strategy, seconds, configs, seed, _progress())
    except ValueError as error:
        raise UserError(f"{implementation.name}: {error}") from None
    rate = outcome.configurations / outcome.seconds if outcome.seconds else 0.0
    levels = ", ".join(f"{count} {name}" for name, count in outcome.levels.most_common())
    click.echo(err=True)
    click.echo(
        f"{implementation.name}: {outcome.configurations} configurations in {outcome.seconds:.1f} s "
        f"({rate:.0f} a second), seed {seed}: {levels}"
    )
    if outcome.case is None or outcome.item is None:
        return CONFORMS if outcome.judged else EXIT_NOT_JUDGED
    folder = "" if out else f"{FOLDER}/{slug(implementation.name)}-"
    violation = keep(plan, outcome.case, outcome.item, seed, lambda name: out or f"{folder}{name}.json")
    cut = ", cut off" if outcome.cut else ""
    written = f"written to {violation.path}" if violation.written else "not written"
    click.echo(f"made smaller with {outcome.shrinking} further configurations{cut}; {written}\n")
    if outcome.flaky:
        click.echo("A case that failed did not fail when it was run again: the implementation is not deterministic.\n")
    click.echo(violation_text(violation, implementation))
    click.echo(known_fault_hint(plan, violation.case), nl=False)
    return FAILS


def excluded_clauses(names: Sequence[str]) -> frozenset[str]:
    """The ids of clauses that are named, alone or by their family.

    Raises:
        UserError: there is no such clause.
    """
    from bn_reference.specification.clauses import clauses

    excluded: set[str] = set()
    for name in names:
        matches = {clause.id for clause in clauses().values() if name in (clause.id, clause.family)}
        if not matches:
            raise UserError(f"there is no clause {name!r}; bnconform list --clauses shows them")
        excluded |= matches
    return frozenset(excluded)


def _progress() -> Callable[[int], None] | None:
    """What shows how many configurations there were so far; on a terminal alone."""
    if not sys.stderr.isatty():
        return None

    def show(count: int) -> None:
        if count % 50 == 0:
            click.echo(f"\r{count} configurations", nl=False, err=True)

    return show
