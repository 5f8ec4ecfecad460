"""`bnconform compare`: what changed from one results file to another."""

from __future__ import annotations

import click

from bn_conformance.commands.declaring import SuiteCommand
from bn_conformance.report.changes import changes_between
from bn_conformance.report.changes_terminal import print_changes
from bn_conformance.results.exit_codes import CONFORMS, FAILS
from bn_conformance.results.file import read_results


@click.command(cls=SuiteCommand, epilog="Exit codes: 0 nothing got worse, 1 something did, 2 usage.")
@click.argument("old")
@click.argument("new")
def command(old: str, new: str) -> int:
    """Compare two results files: new failures, fixed, changed."""
    from rich.console import Console

    changes = changes_between(read_results(old), read_results(new))
    print_changes(changes, Console())
    return FAILS if changes.regressed else CONFORMS
