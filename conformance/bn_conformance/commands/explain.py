"""`bnconform explain`: a person's own recorded tensors: right or not, why not, and what an error of x explains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from bn_conformance.commands.declaring import EXIT_CODES, Output, SuiteCommand, output_options, run_options
from bn_conformance.explain.explanation import DEFAULT_ERROR, ExplainedStep, explain_arrays, given_by_role
from bn_conformance.explain.reading import SaidOfStep
from bn_conformance.explain.recorded_files import read_recorded
from bn_conformance.explain.roles import roles_of
from bn_conformance.explain.terminal import print_explanation
from bn_conformance.results.outcomes import Threshold
from bn_conformance.targets.choices import fields_of
from bn_conformance.user_error import UserError


@click.command(cls=SuiteCommand, epilog=EXIT_CODES)
@click.argument("data")
@click.option("--mode", type=click.Choice(["training", "inference"]), default=None, help="Found where it is left out.")
@click.option("--channel-axis", type=int, default=None, metavar="N", help="Axis of the channels; found if left out.")
@click.option("--eps", type=float, default=None, metavar="X", help="eps of the layer; found if left out.")
@click.option("--momentum", type=float, default=None, metavar="X", help="As the layer has it; found if left out.")
@click.option(
    "--convention", multiple=True, metavar="NAME=VALUE", help="A choice that is known, as running_variance=biased."
)
@click.option("--name", "names", multiple=True, metavar="ROLE=ARRAY", help="Which array is x, y, gamma and so on.")
@click.option("--dtype", default="", metavar="NAME", help="Format of y and dx, where they were saved in a wider one.")
@click.option(
    "--error-of-x",
    "error",
    type=float,
    default=DEFAULT_ERROR,
    show_default=True,
    metavar="T",
    help="The relative error of x whose effect on y is told.",
)
@run_options("level")
@output_options("terminal", "html", "json")
def command(
    data: str,
    mode: str | None,
    channel_axis: int | None,
    eps: float | None,
    momentum: float | None,
    convention: tuple[str, ...],
    names: tuple[str, ...],
    dtype: str,
    error: float,
    level: str,
    format_: str,
    output: str,
) -> int:
    """Explain recorded tensors: within the bounds or not, why not, and how much comes from what went in.

    DATA is an .npz file or a folder of .npy files with x, and any of y, gamma, beta, running_mean, running_var, both
    with _after, mask, dy, dx, dgamma, dbeta, eps, momentum, and y_other, another y to compare with. Common names such
    as input, weight or moving_mean are known. Nothing is unpickled.
    """
    wishes = SaidOfStep(mode or "", channel_axis, eps, momentum, fields_of(convention))
    arrays = read_recorded(Path(data))
    taken = tuple(roles_of(arrays, _said(names)))
    with _Bar() as bar:
        told = explain_arrays(
            given_by_role(arrays, taken),
            taken,
            wishes,
            source=Path(data).name or data,
            dtype=dtype,
            error=error,
            threshold=Threshold(level),
            progress=bar.told,
        )
    _show(told, format_, Output(output))
    return told.exit_code


def _said(names: tuple[str, ...]) -> dict[str, str]:
    said: dict[str, str] = {}
    for one in names:
        role, equals, name = one.partition("=")
        if not (role and equals and name):
            raise UserError(f"--name {one!r} says nothing; write --name x=ARRAY")
        if role in said:
            raise UserError(f"--name {role} is given twice; give it once")
        said[role] = name
    return said


def _show(told: ExplainedStep, format_: str, output: Output) -> None:
    if format_ == "json":
        output.write(json.dumps(told.to_json(), indent=2, allow_nan=False))
    elif format_ == "html":
        output.write(told.html())
    else:
        output.print(lambda console: print_explanation(told, console))


class _Bar:
    """A bar on standard error, where that is a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        console = Console(stderr=True)
        self._bar = Progress(console=console, transient=True, disable=not console.is_terminal)
        self._tasks: dict[str, Any] = {}

    def told(self, what: str, done: int, whole: int) -> None:
        """Show how much is done."""
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=None)
        self._bar.update(self._tasks[what], completed=done, total=whole or None)

    def __enter__(self) -> _Bar:
        self._bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.stop()
