"""`bnconform report`: a results file as HTML, Markdown, a summary in the terminal, or what CI systems read."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bn_conformance.commands.declaring import Output, SuiteCommand, output_options, write_file
from bn_conformance.results.file import Results, read_results
from bn_conformance.text import did_you_mean
from bn_conformance.user_error import UserError

if TYPE_CHECKING:
    from rich.console import Console

SUFFIXES = {
    "html": ".html",
    "markdown": ".md",
    "ctrf": ".ctrf.json",
    "badge-json": ".badge.json",
    "badge-svg": ".badge.svg",
    "annotations": ".annotations.txt",
}
"""The end of a report's name, where none is given."""


@click.command(cls=SuiteCommand)
@click.argument("results")
@output_options(*SUFFIXES, "terminal", where="beside the results; - is standard output")
@click.option(
    "--baseline",
    default=None,
    metavar="NAME",
    help="Implementation that conventions are set beside.  [default: torch.nn, or what most declare]",
)
def command(results: str, format_: str, output: str, baseline: str | None) -> int:
    """Make a report of a results file.

    Besides reports for people: ctrf for dashboards, badge-json (an endpoint of shields.io) and badge-svg, and
    annotations, the lines that GitHub shows beside a change.
    """
    contents = read_results(results)
    if baseline is not None and baseline not in contents.header.implementations:
        names = contents.header.implementations
        hint = did_you_mean(baseline, names, f"there are {', '.join(names)}")
        raise UserError(f"--baseline {baseline!r} is not in the results{hint}")
    if format_ == "terminal":
        Output(output).print(partial(_print_summary, contents))
        return 0
    text = _rendered(contents, format_, baseline)
    if output == "-":
        sys.stdout.write(text)
        return 0
    path = Path(output) if output else Path(results).with_suffix(SUFFIXES[format_])
    write_file(path, text)
    click.echo(f"Report: {path.resolve()}")
    return 0


def _print_summary(results: Results, console: Console) -> None:
    from bn_conformance.report.terminal import print_summary

    print_summary(results, console)


def _rendered(results: Results, format_: str, baseline: str | None) -> str:
    if format_ == "html":
        from bn_conformance.report.html import render_html

        return render_html(results, baseline)
    if format_ in _FOR_MACHINES:
        return _FOR_MACHINES[format_](results)
    from bn_conformance.report.markdown import render_markdown

    return render_markdown(results, baseline)


def _ctrf(results: Results) -> str:
    from bn_conformance.report.ctrf import ctrf

    return json.dumps(ctrf(results), indent=1, allow_nan=False) + "\n"


def _badge_json(results: Results) -> str:
    from bn_conformance.report.badge import badge_json

    return json.dumps(badge_json(results)) + "\n"


def _badge_svg(results: Results) -> str:
    from bn_conformance.report.badge import badge_svg

    return badge_svg(results)


def _annotations(results: Results) -> str:
    from bn_conformance.report.annotations import workflow_commands

    return "".join(f"{line}\n" for line in workflow_commands(results))


_FOR_MACHINES = {"ctrf": _ctrf, "badge-json": _badge_json, "badge-svg": _badge_svg, "annotations": _annotations}
