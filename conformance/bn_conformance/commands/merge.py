"""`bnconform merge`: several results files as one."""

from __future__ import annotations

from pathlib import Path

import click

from bn_conformance.commands.declaring import SuiteCommand, write_file
from bn_conformance.results.file import read_results
from bn_conformance.results.json_line import to_line
from bn_conformance.results.merge import merge


@click.command(cls=SuiteCommand)
@click.argument("results", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="FILE", help="Results file to write.")
def command(results: tuple[str, ...], output: str) -> int:
    """Merge results files into one."""
    records = merge([read_results(path) for path in results])
    write_file(Path(output), "".join(f"{to_line(record)}\n" for record in records))
    click.echo(f"Results: {Path(output).resolve()}")
    return 0
