"""`bnconform fuzz`: drawn configurations on one implementation, judged by the runner of the matrix."""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from bn_conformance.cases.model import Case
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.document import named
from bn_conformance.catalogue.regressions import Regression, RegressionError, read_all, write
from bn_conformance.commands.probe import one_implementation
from bn_conformance.commands.wrappers import target_of
from bn_conformance.implementations.registry import Implementation
from bn_conformance.matrix.plan import Options, Plan
from bn_conformance.matrix.runner import Runner
from bn_conformance.report.failure import explain, one_line
from bn_conformance.results.outcomes import Verdict
from bn_conformance.results.records import Item

NOTHING_FOUND, VIOLATION, NOTHING_JUDGED = 0, 1, 3

FOLDER = "regressions"
"""Where regressions are written, and looked for."""


def fuzz(
    target: str,
    kind: str,
    convention: tuple[str, ...],
    seconds: float,
    configs: int,
    seed: int,
    without: tuple[str, ...],
    out: str,
    regressions: tuple[str, ...],
    level: str,
    device: str,
    known_faults: tuple[str, ...],
    timeout: float,
    in_process: bool,
) -> int:
    """Run saved regressions, then draw until something fails or the time is over; gives the exit code."""
    _check(seconds, configs, timeout, out)
    _need_hypothesis()
    implementation = one_implementation(target_of(target, kind, convention), device)
    saved = _saved(regressions, out, implementation)
    plan = _plan(implementation, saved, level, device, known_faults, timeout, in_process)
    runner = Runner(plan, explains=False)
    try:
        warnings.simplefilter("ignore")  # what an implementation in this process warns of is its own affair
        if _replay(runner, implementation, saved):
            return VIOLATION
        return _draw(runner, plan, implementation, seconds, configs, seed, without, out)
    finally:
        runner.close()


def _check(seconds: float, configs: int, timeout: float, out: str) -> None:
    for option, value in (("--seconds", seconds), ("--timeout", timeout)):
        if not 0.0 < value < float("inf"):
            raise click.UsageError(f"{option} is {value:g}; allowed are seconds above 0")
    if configs < 0:
        raise click.UsageError(f"--configs is {configs}; allowed are numbers from 0, which sets no limit")
    if out and Path(out).is_dir():
        raise click.UsageError(f"--out {out} is a folder; name a file")


def _need_hypothesis() -> None:
    # Hypothesis keeps what it reads of the sources in a folder of the working directory; nobody asked for that.
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(tempfile.gettempdir()) / "bnconform-hypothesis"))
    try:
        import hypothesis  # noqa: F401 - only whether it is there
    except ImportError:
        raise click.UsageError("fuzz needs hypothesis; run: pip install 'bnconform[fuzz]'") from None


def _saved(paths: Sequence[str], out: str, implementation: Implementation) -> tuple[Regression, ...]:
    """The regressions that are named; where none is, those that were found on this implementation."""
    found = list(paths)
    if not found:
        own = re.compile(re.escape(_slug(implementation.name)) + r"-[0-9a-f]+\.json")
        found += sorted(str(path) for path in Path(FOLDER).glob("*.json") if own.fullmatch(path.name))
    if out and Path(out).exists():
        found.append(out)
    try:
        return read_all(found)
    except RegressionError as error:
        raise click.UsageError(str(error)) from None


def _plan(
    implementation: Implementation,
    saved: tuple[Regression, ...],
    level: str,
    device: str,
    known_faults: Sequence[str],
    timeout: float,
    in_process: bool,
) -> Plan:
    from bn_conformance.implementations.known_faults import KnownFaultsError, load, shipped

    try:
        faults = (*shipped(), *(fault for path in known_faults for fault in load(path)))
    except KnownFaultsError as error:
        raise click.UsageError(str(error)) from None
    options = Options(level=level, device=device, timeout=timeout, in_process=in_process)
    return Plan(options, (implementation,), (), faults, saved)


def _replay(runner: Runner, implementation: Implementation, saved: Sequence[Regression]) -> bool:
    """Whether a saved regression still fails; each that does is shown in a line."""
    failing, judged = [], 0
    for one in saved:
        if unsupported_reason(one.case, implementation.capabilities) is None:
            item = runner.run(implementation, one.case)
            judged += 1
            if item.verdict == Verdict.FAIL.value:
                failing.append((item, one))
    for item, one in failing:
        click.echo(explain(item, one.case, one.path))
    if saved:
        click.echo(f"{len(failing)} of {judged} saved regressions fail ({len(saved) - judged} not supported)", err=True)
    return bool(failing)


def _draw(
    runner: Runner,
    plan: Plan,
    implementation: Implementation,
    seconds: float,
    configs: int,
    seed: int,
    without: tuple[str, ...],
    out: str,
) -> int:
    from bn_conformance.fuzz.search import search
    from bn_conformance.fuzz.strategies import cases

    try:
        strategy = cases(implementation.capabilities, _excluded(without))
        found = search(
            lambda case: runner.run(implementation, case), strategy, seconds, configs, seed, _progress(configs)
        )
    except ValueError as error:
        raise click.UsageError(f"{implementation.name}: {error}") from None
    rate = found.configurations / found.seconds if found.seconds else 0.0
    levels = ", ".join(f"{count} {name}" for name, count in found.levels.most_common())
    click.echo(err=True)
    click.echo(
        f"{implementation.name}: {found.configurations} configurations in {found.seconds:.1f} s "
        f"({rate:.0f} a second), seed {seed}: {levels}"
    )
    if found.case is None or found.item is None:
        return NOTHING_FOUND if found.judged else NOTHING_JUDGED
    path = out or f"{FOLDER}/{_slug(implementation.name)}-{found.case.id.rpartition('/')[2]}.json"
    case = named(replace(found.case, title=_title(found.item)))
    item = _final(plan, implementation, Regression(case, path), found.item)
    try:
        write(Path(path), case, _record(implementation, item, seed))
    except OSError as error:
        click.echo(f"the regression cannot be written to {path}: {error.strerror}", err=True)
    cut = ", cut off" if found.cut else ""
    click.echo(f"made smaller with {found.shrinking} further configurations{cut}; written to {path}\n")
    if found.flaky:
        click.echo("A case that failed did not fail when it was run again: the implementation is not deterministic.\n")
    click.echo(_shown(case, item, path, implementation.address))
    click.echo(_known(plan, implementation, case), nl=False)
    return VIOLATION


def _excluded(wanted: Sequence[str]) -> frozenset[str]:
    from bn_reference.specification.clauses import clauses

    found = frozenset(id_ for id_, clause in clauses().items() if id_ in wanted or clause.family in wanted)
    for name in wanted:
        if not any(name in (id_, id_.partition("-")[0]) for id_ in found):
            raise click.UsageError(f"there is no clause {name!r}; bnconform list --clauses shows them")
    return found


def _progress(configs: int) -> Any:
    """What shows how many configurations there were so far, on a terminal alone."""
    if not sys.stderr.isatty():
        return None

    def show(count: int) -> None:
        if count % 50 == 0:
            click.echo(f"\r{count} configurations", nl=False, err=True)

    return show


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "implementation"


def _title(item: Item) -> str:
    bad = [quantity.name for quantity in item.quantities if quantity.outcome == item.outcome]
    return f"found by fuzzing: {', '.join(bad[:3]) or 'the case'} {item.outcome}"[:200]


def _final(plan: Plan, implementation: Implementation, regression: Regression, found: Item) -> Item:
    """The minimal case once more, with the deviations that explain it; as it was found where it was not seen again."""
    runner = Runner(replace(plan, regressions=(*plan.regressions, regression)))
    try:
        item = runner.run(implementation, regression.case)
    finally:
        runner.close()
    again = item.verdict == Verdict.FAIL.value
    return item if again else replace(found, message=f"{found.message} (not seen again in a second run)".strip())


def _record(implementation: Implementation, item: Item, seed: int) -> Mapping[str, Any]:
    """What was found, for people who read the file."""
    return {
        "implementation": implementation.name,
        "versions": dict(implementation.versions),
        "seed": seed,
        "summary": one_line(item),
        "explained_by": list(item.explained_by or ()),
    }


def _known(plan: Plan, implementation: Implementation, case: Case) -> str:
    """Known faults of the implementation that the matrix shows under the same clause; empty for none."""
    clause = case.clauses[0]
    tested = [known for known in all_cases().values() if known.clauses[0] == clause]
    faults = [fault for fault in plan.faults if fault.applies_to(implementation) and any(map(fault.covers, tested))]
    if not faults:
        return ""
    return f"\nIt may be a known fault: {faults[0].reason}\nTo look past it: --without {clause}\n"


def _shown(case: Case, item: Item, path: str, address: str) -> str:
    """The violation in words, the steps, and code to paste."""
    from bn_conformance.commands.case_page import describe

    lines = [explain(item, case, path)]
    if item.explained_by:
        lines.append(f"  explained by: {', '.join(item.explained_by)}")
    told = describe(case, source=path)
    lines += ["", told[told.index("Layer\n") :]]
    return "\n".join(lines).replace("IMPLEMENTATION", shlex.quote(address))
