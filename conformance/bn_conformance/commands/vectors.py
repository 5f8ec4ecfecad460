"""`bnconform vectors export` and `check`: golden vectors for other languages, and the verdict on their results."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.report.failure import explain, one_line
from bn_conformance.results.outcomes import Threshold, Verdict
from bn_conformance.vectors.named_conventions import UnknownConvention, name_of
from bn_conformance.vectors.selection import MEMORY_CLAUSES

SHOWN = 6
"""Missing quantities of a case that are named one by one."""


def export(
    output: str,
    cases: tuple[str, ...],
    clauses: tuple[str, ...],
    core: bool,
    convention: tuple[str, ...],
    implementation: str,
) -> int:
    """Write documents, and say what was left out and why."""
    from bn_conformance.vectors import files, selection

    if core and (cases or clauses or convention or implementation):
        raise click.UsageError("--core is a set of its own; leave out --case, --clause, --convention and -i")
    if core:
        pairs, left_out = list(selection.core(all_cases().values())), Counter[str]()
    else:
        name, known = _convention(implementation, convention), all_cases() | large_cases()
        chosen, left_out = selection.split(known[case_id] for case_id in _selected(clauses, cases))
        pairs = [(case, name) for case in chosen]
    folder = Path(output or "vectors")
    try:
        written = files.write(pairs, folder)
    except OSError as error:
        raise click.UsageError(f"{folder} cannot be written ({error.strerror}); name another folder with -o") from None
    size = sum(path.stat().st_size for path in written)
    click.echo(f"{len(written)} vectors, {size / 1e6:.1f} MB, in {folder.resolve()}")
    for need, count in sorted(left_out.items()):
        click.echo(f"{count} case{'s' * (count > 1)} left out: the format does not say {need}")
    return 0 if written else 3


def _convention(implementation: str, settings: tuple[str, ...]) -> str:
    if implementation and settings:
        raise click.UsageError("-i and --convention contradict each other; give one")
    try:
        return name_of(implementation, settings)
    except UnknownConvention as error:
        raise click.UsageError(str(error)) from None


def _selected(clauses: tuple[str, ...], cases: tuple[str, ...]) -> list[str]:
    from bn_conformance.catalogue.selection import SelectionError, select_cases

    try:
        return select_cases(clauses, cases)
    except SelectionError as error:
        raise click.UsageError(str(error)) from None


def check(file: str, level: str) -> int:
    """Judge a file of results and explain what fails."""
    from bn_conformance.vectors.check import check as check_file
    from bn_conformance.vectors.submissions import RecordError

    try:
        report = check_file(file, Threshold(level))
    except RecordError as error:
        raise click.UsageError(str(error)) from None
    for entry in report.checked:
        if entry.item.verdict == Verdict.FAIL.value:
            click.echo(explain(entry.item, entry.case))
        elif entry.item.verdict == Verdict.WARN.value:
            click.echo(f"warning: {one_line(entry.item)}")
        if entry.missing:
            more = f" and {len(entry.missing) - SHOWN} more" if len(entry.missing) > SHOWN else ""
            click.echo(f"{entry.case.id}: not in the file: {', '.join(entry.missing[:SHOWN])}{more}")
    for problem in report.problems:
        click.echo(f"Error: {file}, line {problem.line}: {problem.message}", err=True)
    levels = Counter(entry.item.outcome for entry in report.checked if entry.judged)
    found = ", ".join(f"{count} {name}" for name, count in levels.items()) or "nothing"
    click.echo(f"{levels.total()} of {len(report.checked)} judged: {found}")
    partly = sorted({id_ for entry in report.checked for id_ in entry.case.clauses} & MEMORY_CLAUSES)
    if partly:
        click.echo(f"{', '.join(partly)}: numbers alone were judged; a file shows nothing of memory and repetition")
    return report.exit_code
