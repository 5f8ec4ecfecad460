"""How commands are declared: the class of a command, and options that several commands have.

A command returns its exit code. It raises a `UserError` where it cannot do what it was asked to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from bn_conformance.commands.ending import told_to_end
from bn_conformance.commands.formats import contradiction, format_for
from bn_conformance.options import DEFAULTS, OPTIONS
from bn_conformance.results.exit_codes import INTERRUPTED, USAGE
from bn_conformance.text import did_you_mean
from bn_conformance.user_error import UserError

EXIT_CODES = "Exit codes: 0 all conform, 1 something does not, 2 usage, 3 nothing or too little was judged."

_Declared = TypeVar("_Declared", bound=Callable[..., Any])
_Decorator = Callable[[_Declared], _Declared]


class Refusal(click.ClickException):
    """Ends a command with one line and the exit code of a mistake in its use."""

    exit_code = USAGE


class SuiteCommand(click.Command):
    """A command that exits with the code it returns, and with 2 and one line where it raises a `UserError`.

    Where it is told to end early, it exits with 128 and the number of the signal.
    """

    def invoke(self, ctx: click.Context) -> None:
        """Run the command and exit."""
        with told_to_end() as told:
            try:
                code: int = super().invoke(ctx)
            except UserError as error:
                raise Refusal(str(error)) from None
            except KeyboardInterrupt:
                click.echo("\nInterrupted.", err=True)
                code = INTERRUPTED
        ctx.exit(told.exit_code if code == INTERRUPTED else code)


def _together(options: Sequence[_Decorator[Any]]) -> _Decorator[Any]:
    """Options in the order in which help shows them."""

    def decorate(declared: Any) -> Any:
        for option in reversed(options):
            declared = option(declared)
        return declared

    return decorate


def run_options(*names: str, **defaults: Any) -> _Decorator[Any]:
    """Options of the table of a run, by name; `defaults` are those that differ for this command."""
    return _together([run_option(name, default=defaults.get(name, DEFAULTS[name])) for name in names])


def run_option(name: str, default: Any, help: str = "") -> _Decorator[Any]:  # noqa: A002 (click calls it so)
    """One option of the table of a run, with a default and perhaps a help of the command's own."""
    option = OPTIONS[name]
    value: dict[str, Any] = {"default": default, "show_default": bool(default)}
    if default is False:
        value = {"is_flag": True}
    elif isinstance(default, tuple):
        value = {"multiple": True, "metavar": option.metavar}
    elif option.choices:
        value["type"] = click.Choice(option.choices)
    else:
        value |= {"type": type(default), "metavar": option.metavar}
    return click.option(*option.flags, name, help=help or option.help, **value)


target_options = _together(
    [
        click.option(
            "--as",
            "kind",
            default="",
            metavar="KIND",
            help="What the code is, where several fit: torch-module, keras-layer, numpy-functions, ...",
        ),
        click.option(
            "--convention",
            multiple=True,
            metavar="NAME=VALUE",
            help="Of code without an adapter: what is meant where it is not the convention of the kind.",
        ),
        click.option(
            "--name",
            "names",
            multiple=True,
            metavar="ROLE=NAME",
            help="Of code without an adapter: what it calls weight, bias, running_mean, eps, mask and so on.",
        ),
        click.option(
            "--argument",
            "arguments",
            multiple=True,
            metavar="NAME=VALUE",
            help="Of code without an adapter: the value of an argument that it is built with.",
        ),
    ]
)
"""Options of a command that takes a target: whether it is code without an adapter, and of which convention."""


class NamedFormat(click.Choice[str]):
    """A choice of formats; a wrong name leads to the one that it may mean."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The format of a name.

        Raises:
            BadParameter: there is none.
        """
        if value not in self.choices:
            hint = did_you_mean(value, self.choices, f"there are {', '.join(self.choices)}")
            self.fail(f"there is no format {value!r}{hint}", param, ctx)
        return super().convert(value, param, ctx)


def output_options(*formats: str, where: str = "standard output") -> _Decorator[Any]:
    """Options of a command that prints in several formats, of which the first is the default."""

    def chosen(ctx: click.Context, _: click.Parameter, asked: str | None) -> str:
        output: str = ctx.params["output"]
        if asked is None:
            try:
                return format_for(output, formats)
            except UserError as error:
                raise Refusal(str(error)) from None
        if note := contradiction(output, asked):
            click.echo(f"Note: {note}.", err=True)
        return asked

    default = f"[default: as FILE is named, else {formats[0]}]"
    return _together(
        [
            click.option("--format", "format_", type=NamedFormat(formats), callback=chosen, help=default),
            click.option(
                "-o", "--output", default="", metavar="FILE", is_eager=True, help=f"File to write  [default: {where}]"
            ),
        ]
    )


processes_option = click.option(
    "-n",
    "processes",
    default="auto",
    show_default=True,
    metavar="N",
    help="Processes; auto is one for each core, fewer for few cases; 0 runs in this one.",
)


@dataclass(frozen=True)
class Output:
    """Where a command writes: a file, or standard output where the path is empty or `-`."""

    path: str

    @property
    def is_file(self) -> bool:
        """Whether it is a file."""
        return self.path not in ("", "-")

    def write(self, text: str) -> None:
        """Write a text and, for a file, say so on standard error.

        Raises:
            UserError: the file cannot be written.
        """
        if not self.is_file:
            click.echo(text)
            return
        write_file(Path(self.path), text + "\n")
        click.echo(f"Written: {self.path}", err=True)

    def print(self, render: Callable[[Any], None]) -> None:
        """Give a rich console to what prints on it; a file gets plain text of 160 columns.

        Raises:
            UserError: the file cannot be written.
        """
        from io import StringIO

        from rich.console import Console

        if not self.is_file:
            render(Console())
            return
        text = StringIO()
        render(Console(file=text, width=160, no_color=True))
        write_file(Path(self.path), text.getvalue())


def write_file(path: Path, text: str) -> None:
    """Write a file and the folders above it.

    Raises:
        UserError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); name another file with -o") from None


def check_seconds(flag: str, value: float) -> None:
    """Check an option that is a time.

    Raises:
        UserError: it is not above 0, or not finite.
    """
    if not 0.0 < value < float("inf"):
        raise UserError(f"{flag} is {value:g}; allowed are seconds above 0")
