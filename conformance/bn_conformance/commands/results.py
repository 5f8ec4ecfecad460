"""`bnconform report`, `compare` and `merge`: what is made from results files alone."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bn_conformance.results.file import Results, read, write
from bn_conformance.results.json_line import ResultsError

SUFFIXES = {"html": ".html", "markdown": ".md"}


def _read(path: str) -> Results:
    try:
        return read(path)
    except ResultsError as error:
        raise click.UsageError(str(error)) from None


def report(results: str, format_: str, output: str, baseline: str | None) -> int:
    """Make a report and say where it is."""
    found = _read(results)
    if baseline is not None and baseline not in found.header.implementations:
        names = ", ".join(found.header.implementations)
        raise click.UsageError(f"--baseline {baseline!r} is not in the results; there are {names}")
    if format_ == "terminal":
        from rich.console import Console

        from bn_conformance.report.terminal import print_summary

        print_summary(found, Console())
        return 0
    if format_ == "html":
        from bn_conformance.report.html import render
    else:
        from bn_conformance.report.markdown import render
    try:
        text = render(found, baseline)
    except ResultsError as error:
        raise click.UsageError(str(error)) from None
    if output == "-":
        sys.stdout.write(text)
        return 0
    path = Path(output) if output else Path(results).with_suffix(SUFFIXES[format_])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written ({error.strerror}); name another file with -o") from None
    click.echo(f"Report: {path.resolve()}")
    return 0


def compare(old: str, new: str) -> int:
    """Print what changed; 1 where the new results are worse."""
    from rich.console import Console

    from bn_conformance.report.changes import changes_between
    from bn_conformance.report.changes_terminal import print_changes

    changes = changes_between(_read(old), _read(new))
    print_changes(changes, Console())
    return 1 if changes.regressed else 0


def merge(results: tuple[str, ...], output: str) -> int:
    """Merge results files into one."""
    from bn_conformance.results.merge import merge as merge_results

    try:
        records = merge_results([_read(path) for path in results])
    except ResultsError as error:
        raise click.UsageError(str(error)) from None
    write(output, records)
    click.echo(f"Results: {Path(output).resolve()}")
    return 0
