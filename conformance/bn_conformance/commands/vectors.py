"""`bnconform vectors export` and `check`: golden vectors for other languages, and the verdict on their results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.catalogue.selection import select_cases
from bn_conformance.commands.declaring import EXIT_CODES, SuiteCommand, run_options
from bn_conformance.report.failure import item_line, item_text
from bn_conformance.results.exit_codes import CONFORMS, EXIT_NOT_JUDGED
from bn_conformance.results.outcomes import ItemVerdict, Threshold
from bn_conformance.text import counted
from bn_conformance.user_error import UserError
from bn_conformance.vectors import files, selection
from bn_conformance.vectors.check import CheckedFile, check_submission
from bn_conformance.vectors.named_conventions import convention_name
from bn_conformance.vectors.selection import MEMORY_CLAUSES

SHOWN = 6
"""Missing quantities of a case that are named one by one."""


@click.group(epilog=EXIT_CODES)
def command() -> None:
    """Export golden vectors for other languages, and judge results made with them."""


@command.command(cls=SuiteCommand)
@click.option("-o", "--output", default="vectors", show_default=True, metavar="DIR", help="Folder to write to.")
@run_options("cases", "clauses")
@click.option("--core", is_flag=True, help="The core set, as it comes with bnconform.")
@click.option(
    "--convention",
    multiple=True,
    metavar="NAME=VALUE",
    help="A change to torch's convention, or a named one: biased, momentum-old, textbook.",
)
@click.option("-i", "--implementation", default="", metavar="NAME", help="Under its convention.")
def export(
    output: str,
    cases: tuple[str, ...],
    clauses: tuple[str, ...],
    core: bool,
    convention: tuple[str, ...],
    implementation: str,
) -> int:
    """Write cases with their goldens and error bounds as JSON, one file a case."""
    if core and (cases or clauses or convention or implementation):
        raise UserError("--core is a set of its own; leave out --case, --clause, --convention and -i")
    if implementation and convention:
        raise UserError("-i and --convention contradict each other; give one")
    pairs, left_out = chosen_vectors(cases, clauses, core, convention, implementation)
    folder = Path(output)
    try:
        written = files.write_vectors(pairs, folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be written ({error.strerror}); name another folder with -o") from None
    size = sum(path.stat().st_size for path in written)
    click.echo(f"{counted(len(written), 'vector')}, {size / 1e6:.1f} MB, in {folder.resolve()}")
    for need, count in sorted(left_out.items()):
        click.echo(f"{counted(count, 'case')} left out: the format does not say {need}")
    return CONFORMS if written else EXIT_NOT_JUDGED


def chosen_vectors(
    cases: Sequence[str] = (),
    clauses: Sequence[str] = (),
    core: bool = False,
    convention: Sequence[str] = (),
    implementation: str = "",
) -> tuple[list[tuple[Case, str]], Counter[str]]:
    """Cases with the names of their conventions, and how many are left out, by what the format does not say.

    Args:
        cases: patterns of case ids; all without one.
        clauses: clauses or families; all without one.
        core: the core set instead.
        convention: changes to torch's convention.
        implementation: a registered implementation, whose convention counts instead; empty for none.

    Raises:
        UserError: a name or pattern does not exist.
    """
    if core:
        return list(selection.core(all_cases().values())), Counter[str]()
    name, known = convention_name(implementation, convention), all_cases() | large_cases()
    chosen, left_out = selection.split(known[case_id] for case_id in select_cases(clauses, cases))
    return [(case, name) for case in chosen], left_out


@command.command("check", cls=SuiteCommand, epilog=EXIT_CODES)
@click.argument("file")
@run_options("level")
def check_command(file: str, level: str) -> int:
    """Judge results made elsewhere: JSON lines with case, step, quantity and values."""
    report = check_submission(file, Threshold(level))
    for entry in report.checked:
        if entry.item.verdict == ItemVerdict.FAIL.value:
            click.echo(item_text(entry.item, entry.case))
        elif entry.item.verdict == ItemVerdict.WARN.value:
            click.echo(f"warning: {item_line(entry.item)}")
        if entry.missing:
            more = f" and {len(entry.missing) - SHOWN} more" if len(entry.missing) > SHOWN else ""
            click.echo(f"{entry.case.id}: not in the file: {', '.join(entry.missing[:SHOWN])}{more}")
    for problem in report.problems:
        click.echo(f"Error: {file}, line {problem.line}: {problem.message}", err=True)
    levels = Counter(entry.item.outcome for entry in report.checked if entry.judged)
    counts = ", ".join(f"{count} {name}" for name, count in levels.items()) or "nothing"
    click.echo(f"{levels.total()} of {len(report.checked)} judged: {counts}")
    partly = sorted({id_ for entry in report.checked for id_ in entry.case.clauses} & MEMORY_CLAUSES)
    if partly:
        click.echo(f"{', '.join(partly)}: numbers alone were judged; a file shows nothing of memory and repetition")
    click.echo(closing(file, report))
    return report.exit_code


def closing(file: str, report: CheckedFile) -> str:
    """The verdict on a file of results in a line that says what its exit code says."""
    failing = sum(entry.item.verdict == ItemVerdict.FAIL.value for entry in report.checked)
    if report.problems:
        return f"✕ {file}: {counted(len(report.problems), 'line')} cannot be used"
    if failing:
        return f"✕ {file} does not conform: {failing} of {counted(len(report.checked), 'case')} fail"
    if report.exit_code == CONFORMS:
        return f"✓ {file} conforms"
    partly = sum(bool(entry.missing) for entry in report.checked)
    if partly:
        cases = counted(partly, "case has", "cases have")
        return (
            f"– {file}: too little was judged: {cases} quantities that are not in the file; add them, or leave it out"
        )
    return f"– {file}: nothing was judged"
