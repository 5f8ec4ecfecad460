"""`bnconform report`: a results file as HTML, Markdown or a summary in the terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bn_conformance.commands.declaring import SuiteCommand, output_options, write_file
from bn_conformance.results.file import Results, read_results
from bn_conformance.user_error import UserError

SUFFIXES = {"html": ".html", "markdown": ".md"}


@click.command(cls=SuiteCommand)
@click.argument("results")
@output_options("html", "markdown", "terminal", where="beside the results; - is standard output")
@click.option("--baseline", default=None, metavar="NAME", help="Implementation that conventions are compared to.")
def command(results: str, format_: str, output: str, baseline: str | None) -> int:
    """Make a report of a results file."""
    contents = read_results(results)
    if baseline is not None and baseline not in contents.header.implementations:
        names = ", ".join(contents.header.implementations)
        raise UserError(f"--baseline {baseline!r} is not in the results; there are {names}")
    if format_ == "terminal":
        _print_summary(contents)
        return 0
    text = _rendered(contents, format_, baseline)
    if output == "-":
        sys.stdout.write(text)
        return 0
    path = Path(output) if output else Path(results).with_suffix(SUFFIXES[format_])
    write_file(path, text)
    click.echo(f"Report: {path.resolve()}")
    return 0


def _print_summary(results: Results) -> None:
    from rich.console import Console

    from bn_conformance.report.terminal import print_summary

    print_summary(results, Console())


def _rendered(results: Results, format_: str, baseline: str | None) -> str:
    if format_ == "html":
        from bn_conformance.report.html import render_html

        return render_html(results, baseline)
    from bn_conformance.report.markdown import render_markdown

    return render_markdown(results, baseline)
