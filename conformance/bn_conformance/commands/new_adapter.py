"""`bnconform new-adapter`: a working adapter with its test, to be changed into that of an implementation."""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from pathlib import Path

import click

from bn_conformance.commands.declaring import EXIT_CODES, SuiteCommand, write_file
from bn_conformance.results.exit_codes import CONFORMS
from bn_conformance.user_error import UserError

KINDS = ("numpy", "torch")
"""Starting points: a layer by hand on NumPy arrays, and a torch module."""


@click.command(cls=SuiteCommand, epilog=EXIT_CODES)
@click.argument("name")
@click.option(
    "--as", "kind", type=click.Choice(KINDS), default=KINDS[0], show_default=True, help="What it starts from."
)
@click.option("--folder", default=".", show_default=True, metavar="FOLDER", help="Where the files are written.")
def command(name: str, kind: str, folder: str) -> int:
    """Write a working adapter NAME.py and its test, for what no wrapper can judge as it is."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UserError(f"{name!r} is no name of a module; write small letters, digits and underscores, as my_bn")
    title = "".join(part.capitalize() for part in name.split("_")) + "Adapter"
    words = {"@NAME@": name, "@CLASS@": title, "@MODULE@": name}
    written = {f"{name}.py": kind, f"test_{name}.py": "test"}
    paths = [Path(folder) / file for file in written]
    for path in paths:
        if path.exists():
            raise UserError(f"{path} exists; name another adapter or another --folder")
    for path, template in zip(paths, written.values(), strict=True):
        write_file(path, _filled(template, words))
        click.echo(f"Written: {path}", err=True)
    click.echo(f"It works as it is: bnconform check {paths[0]}, and pytest {paths[1]}. Now change it, line by line.")
    return CONFORMS


def _filled(template: str, words: dict[str, str]) -> str:
    text = files("bn_conformance.commands").joinpath("starting_points", f"{template}.txt").read_text(encoding="utf-8")
    for mark, word in words.items():
        text = text.replace(mark, word)
    return text
