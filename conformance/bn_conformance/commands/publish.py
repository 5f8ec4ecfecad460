"""`bnconform publish`: what a run says of each implementation, as small text files for a repository."""

from __future__ import annotations

import re
from pathlib import Path

import click

from bn_conformance.commands.declaring import SuiteCommand, write_file
from bn_conformance.report.published import published
from bn_conformance.results.file import read_results
from bn_conformance.text import counted
from bn_conformance.user_error import UserError


@click.command(cls=SuiteCommand)
@click.argument("results")
@click.argument("folder")
def command(results: str, folder: str) -> int:
    """Write a TOML file for each implementation of RESULTS into FOLDER.

    The files have no times and a stable order, so that a change of a framework is a difference in git.
    """
    contents = read_results(results)
    if contents.end is None:
        raise UserError(f"{results}: the run did not end; publish a whole one")
    texts = published(contents)
    if not texts:
        raise UserError(f"{results}: nothing was judged; there is nothing to publish")
    for name, text in texts.items():
        write_file(Path(folder) / f"{published_name(name)}.toml", text)
    click.echo(f"Published: {counted(len(texts), 'file')} in {Path(folder).resolve()}")
    return 0


def published_name(implementation: str) -> str:
    """A name for the file of an implementation, the same on every system: `keras-torch` for `keras[torch]`."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", implementation).strip("-.") or "implementation"
