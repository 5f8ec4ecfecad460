"""`bnconform known-faults`: entries of known faults, drafted from the failures in a results file."""

from __future__ import annotations

from pathlib import Path

import click

from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.commands.declaring import SuiteCommand, write_file
from bn_conformance.implementations.draft import draft
from bn_conformance.results.file import read_results
from bn_conformance.results.outcomes import ItemVerdict


@click.group()
def command() -> None:
    """Draft entries of known faults."""


@command.command("draft", cls=SuiteCommand)
@click.argument("results")
@click.option("-o", "--output", metavar="FILE", help="File to write; standard output without it.")
def draft_command(results: str, output: str | None) -> int:
    """Write entries for what fails in RESULTS, one for what fails alike, to be completed by hand.

    An entry whose reason still begins with DRAFT: is refused by `bnconform run --known-faults FILE`.
    """
    contents = read_results(results)
    if not any(item.verdict == ItemVerdict.FAIL.value for item in contents.items):
        click.echo(f"{results}: nothing fails, so there is no entry to draft", err=True)
    text = draft(contents, {*all_cases(), *large_cases()})
    if output is None:
        click.echo(text, nl=False)
        return 0
    write_file(Path(output), text)
    click.echo(f"Known faults, to be completed: {Path(output).resolve()}")
    return 0
