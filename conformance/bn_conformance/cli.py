"""The command `bnconform`: a table of commands, each of which is a module of `bn_conformance.commands`.

A module is imported when its command is used, so that `bnconform --help` imports click alone.
"""

from __future__ import annotations

import atexit
import gc
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from bn_conformance.commands.streams import lost_output, prepare_streams

COMMANDS = {
    "check": "Judge one implementation of your own, in a file or a module.",
    "run": "Run the matrix and write a results file.",
    "report": "Make a report of a results file.",
    "compare": "Compare two results files: new failures, fixed, changed.",
    "known-faults": "Draft entries of known faults.",
    "publish": "Write a TOML file for each implementation of RESULTS into FOLDER.",
    "merge": "Merge results files into one.",
    "list": "List implementations, cases or clauses.",
    "show": "Show a case: what it tests, its data, and code to reproduce it.",
    "repro": "Write a script without bnconform that shows a fault in the framework alone.",
    "probe": "Measure the convention of an implementation from its behaviour.",
    "diff": "Show how two implementations differ, and convert one's state to the other's.",
    "convert": "Carry the layers of a weights file to a file of another framework.",
    "explain": "Explain recorded tensors: within the bounds or not, why not, and how much comes from what went in.",
    "protocol-test": "Tell mistakes in the protocol of a program from mistakes in its numbers.",
    "new-adapter": "Write a working adapter NAME.py and its test, for what no wrapper can judge as it is.",
    "fuzz": "Look for a violation with drawn configurations, and make it small.",
    "power": "Show which deviations the suite catches, and where.",
    "vectors": "Export golden vectors for other languages, and judge results made with them.",
}
"""Every command with the first sentence of its help."""


class CommandTable(click.Group):
    """A group whose commands are the modules that `COMMANDS` names, in its order."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line, with standard streams that cannot fail."""
        prepare_streams()
        atexit.register(
            gc.freeze
        )  # what is there at the end goes with the process: to take it apart takes a third of a second
        try:
            return super().main(*args, **kwargs)
        except SystemExit:
            if why := lost_output():
                click.echo(f"Error: standard output cannot be written ({why}); what it printed is lost", err=True)
                raise SystemExit(3) from None
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"bn_conformance.commands.{cmd_name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Import the command that the arguments name, or say which they may mean."""
        near = get_close_matches(args[0], COMMANDS, 1)
        if args[0] not in COMMANDS and near:
            ctx.fail(f"there is no command {args[0]!r}; did you mean {near[0]}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table, which imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=CommandTable,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 all conform, 1 something does not, 2 usage, 3 nothing or too little was judged.",
)
@click.version_option(package_name="bnconform")
def main() -> None:
    """Judge batch-normalisation implementations by an exact reference and derived error bounds."""
