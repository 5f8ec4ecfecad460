"""`bnconform merge`: several results files as one."""

from __future__ import annotations

from pathlib import Path

import click

from bn_conformance.commands.declaring import SuiteCommand, write_file
from bn_conformance.results.exit_codes import EXIT_NOT_JUDGED, FAILS
from bn_conformance.results.file import read_results
from bn_conformance.results.json_line import to_line
from bn_conformance.results.merge import merge
from bn_conformance.results.records import End

OUTCOMES = {
    FAILS: "Something does not conform, or a known-fault entry is stale",
    EXIT_NOT_JUDGED: "Too little was judged",
}
"""What an exit code says of the run."""


@click.command(cls=SuiteCommand)
@click.argument("results", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="FILE", help="Results file to write.")
def command(results: tuple[str, ...], output: str) -> int:
    """Merge results files into one.

    The exit code is the one that one run of all would have had.
    """
    records = merge([read_results(path) for path in results])
    write_file(Path(output), "".join(f"{to_line(record)}\n" for record in records))
    click.echo(f"Results: {Path(output).resolve()}")
    end = records[-1]
    assert isinstance(end, End)
    if end.exit_code:
        click.echo(f"{OUTCOMES[end.exit_code]}: bnconform report {output}")
    return end.exit_code
