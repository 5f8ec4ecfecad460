"""`bnconform compare`: what changed from one results file to another."""

from __future__ import annotations

import json

import click

from bn_conformance.commands.declaring import Output, SuiteCommand, output_options
from bn_conformance.report.changes import Changes, changes_between, common_changes
from bn_conformance.results.exit_codes import CONFORMS, FAILS
from bn_conformance.results.file import read_results


@click.command(cls=SuiteCommand, epilog="Exit codes: 0 nothing got worse, 1 something did, 2 usage.")
@click.argument("old")
@click.argument("new")
@output_options("terminal", "markdown", "html", "json")
@click.option("--common", is_flag=True, help="Compare only the items that both runs have asked.")
def command(old: str, new: str, format_: str, output: str, common: bool) -> int:
    """Compare two results files: new failures, fixed, changed.

    Files may be compressed (.gz). With --common a part of the matrix, or a sample, is compared with a whole one.
    """
    compare = common_changes if common else changes_between
    changes = compare(read_results(old), read_results(new))
    _show(changes, format_, Output(output))
    return FAILS if changes.regressed else CONFORMS


def _show(changes: Changes, format_: str, output: Output) -> None:
    if format_ == "json":
        from bn_conformance.report.changes_json import changes_json

        output.write(json.dumps(changes_json(changes), indent=2))
    elif format_ == "markdown":
        from bn_conformance.report.changes_markdown import changes_markdown

        output.write(changes_markdown(changes))
    elif format_ == "html":
        from bn_conformance.report.changes_html import changes_html

        output.write(changes_html(changes))
    else:
        from bn_conformance.report.changes_terminal import print_changes

        output.print(lambda console: print_changes(changes, console))
