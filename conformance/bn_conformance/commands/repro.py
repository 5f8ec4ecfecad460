"""`bnconform repro`: a script in the framework alone that shows a fault, to paste into a report to its maintainers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import click

from bn_conformance.commands.declaring import Output, SuiteCommand, run_options
from bn_conformance.implementations.implementation import matches_pattern
from bn_conformance.matrix.reproducing import Repro, Reproducer, plan_of
from bn_conformance.repro.literals import NoRepro
from bn_conformance.repro.running import shows
from bn_conformance.results.file import Results, read_results
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Item
from bn_conformance.user_error import UserError

FAILING = (ItemVerdict.FAIL.value, ItemVerdict.KNOWN.value)

MOST_TRIED = 6
"""Items of one problem that are tried until one gives a script."""


@click.command(
    cls=SuiteCommand, epilog="Exit codes: 0 each script shows its fault here, 1 one does not, 2 usage or no script."
)
@click.argument("item")
@click.option("-o", "--output", default="", metavar="PATH", help="File to write; a folder for the scripts of RESULTS.")
@run_options("implementations", "cases", "regressions", "device", "timeout")
def command(item: str, output: str, implementations: tuple[str, ...], cases: tuple[str, ...], **options: object) -> int:
    """Write a script without bnconform that shows a fault in the framework alone.

    ITEM is IMPLEMENTATION::CASE, as reports name it. A results file stands for all that fails in it: one script for
    each problem; -i and --case choose. Each script is run: it exits with 1 where the fault shows. It holds the data,
    the framework's own calls, the definition in NumPy, the exact numbers with 30 digits, and the derived bound.
    """
    if "::" in item:
        if implementations or cases:
            raise UserError("-i and --case choose from a results file; ITEM says both already")
        return _one(item, Output(output), options)
    results = read_results(item)
    groups = _problems(results, implementations, cases)
    if not groups:
        raise UserError(f"nothing fails in {item}" + (" of what is selected" if implementations or cases else ""))
    if output:
        return _all(groups, Path(output), options)
    if len(groups) == 1:
        made = _first(groups[0], options)
        Output("").write(made.text.rstrip("\n"))
        return _said(made, to_file=False)
    lines = "\n".join(f"  bnconform repro '{group[0].id}'" for group in groups)
    raise UserError(f"{item} has {len(groups)} problems; name a folder with -o, or one item:\n{lines}")


def _made(item: str, options: dict[str, object]) -> Repro:
    """The script of an item.

    Raises:
        NoRepro: there is none.
        UserError: there is no such implementation or case.
    """
    with closing(Reproducer(plan_of(item, **options))) as reproducer:
        return reproducer.script_of(item)


def _one(item: str, output: Output, options: dict[str, object]) -> int:
    made = _made(item, options)
    output.write(made.text.rstrip("\n"))
    return _said(made, to_file=output.is_file)


def _said(made: Repro, to_file: bool) -> int:
    """Run a script and say whether its fault shows here, on standard error unless the script went to a file.

    Returns:
        The exit code.
    """
    shown, last = shows(made.text)
    said = "it shows the fault" if shown else f"it does not show the fault: {last}"
    click.echo(f"{made.item}: run here, {said}", err=not to_file)
    return 0 if shown else 1


def _problems(results: Results, implementations: Sequence[str], cases: Sequence[str]) -> list[list[Item]]:
    """The failing items that are selected, by what seems to be the same problem, those of few steps first."""
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in results.items:
        selected = _matches(item.implementation, implementations) and _matches(item.case, cases)
        if selected and item.verdict in FAILING:
            clauses = {clause for part in item.quantities if part.outcome == item.outcome for clause in part.clauses}
            groups.setdefault((item.implementation, item.known_fault or " ".join(sorted(clauses))), []).append(item)
    return [sorted(group, key=_size) for group in groups.values()]


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(matches_pattern(name, pattern) for pattern in patterns)


def _size(item: Item) -> tuple[int, int]:
    """Steps that were judged, and numbers."""
    steps = {part.name.partition(".")[0] for part in item.quantities}
    return len(steps), max((part.total for part in item.quantities), default=0)


def _first(group: list[Item], options: dict[str, object]) -> Repro:
    """The script of the first item of a problem that gives one.

    Raises:
        NoRepro: none does.
    """
    said = NoRepro("there is nothing to show")
    for item in group[:MOST_TRIED]:
        try:
            return _made(item.id, options)
        except NoRepro as error:
            said = error
    raise said


def _all(groups: list[list[Item]], folder: Path, options: dict[str, object]) -> int:
    codes = [*_written(groups, folder, options)]
    return max(codes, default=1)


def _written(groups: list[list[Item]], folder: Path, options: dict[str, object]) -> Iterator[int]:
    for group in groups:
        try:
            made = _first(group, options)
        except NoRepro as error:
            click.echo(f"{group[0].id}: no script: {error}", err=True)
            yield 1
            continue
        name = re.sub(r"[^A-Za-z0-9.]+", "-", made.item).strip("-")
        Output(str(folder / f"{name}.py")).write(made.text.rstrip("\n"))
        yield _said(made, to_file=True)
