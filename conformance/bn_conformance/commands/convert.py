"""`bnconform convert`: the batch-normalisation layers of a weights file, carried to another framework."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bn_conformance.commands.declaring import Output, SuiteCommand, output_options
from bn_conformance.convert.conversion import Wishes, convert_weights
from bn_conformance.convert.naming import namings
from bn_conformance.convert.terminal import print_conversion
from bn_conformance.text import did_you_mean
from bn_conformance.user_error import UserError


@click.command(
    cls=SuiteCommand,
    epilog="Exit codes: 0 converted and verified, 1 a check does not hold, 2 usage, 3 converted, but a framework that "
    "the check needs is not installed.",
)
@click.argument("source")
@click.argument("target")
@click.option("--to", "to", default="", metavar="NAME", help="Whose names a fresh file follows: torch, keras or flax.")
@click.option(
    "--into", "into", default="", metavar="FILE", help="Existing weights of the target's model; all else is kept."
)
@click.option("--pattern", "patterns", multiple=True, metavar="GLOB", help="Layers of the source; all without one.")
@click.option(
    "--rename", "rules", multiple=True, metavar="OLD=NEW", help="Name of a layer in the target; * stands for the same."
)
@click.option(
    "--eps", type=float, default=None, metavar="X", help="eps of the source's layers, where the file lacks it."
)
@click.option(
    "--momentum", type=float, default=None, metavar="X", help="The same of momentum, as the source spells it."
)
@click.option(
    "--target-eps", type=float, default=None, metavar="X", help="eps of the target's layers, if it must differ."
)
@click.option(
    "--lacking",
    type=click.Choice(["gamma", "beta"]),
    default=None,
    help="What Keras layers of three vectors lack, where the file does not say it.",
)
@output_options("terminal", "json")
def command(
    source: str,
    target: str,
    to: str,
    into: str,
    patterns: tuple[str, ...],
    rules: tuple[str, ...],
    eps: float | None,
    momentum: float | None,
    target_eps: float | None,
    lacking: str | None,
    format_: str,
    output: str,
) -> int:
    """Carry the layers of a weights file to a file of another framework.

    SOURCE holds a model, and its layers of batch normalisation are written to TARGET. Files are PyTorch's .pt and .pth,
    .safetensors, .npz, Keras's .weights.h5 and .keras, Flax's .msgpack, and folders of Orbax. Nothing is unpickled.
    Both frameworks run the layers afterwards, and every difference has its bound.
    """
    if to and to not in namings():
        hint = did_you_mean(to, namings(), f"allowed are {', '.join(namings())}")
        raise UserError(f"--to is {to!r}{hint}")
    if to and into:
        raise UserError("the file of --into says whose names it follows; leave out --to")
    for flag, value in (("--eps", eps), ("--target-eps", target_eps)):
        if value is not None and not 0.0 <= value < float("inf"):
            raise UserError(f"{flag} is {value:g}; allowed are finite numbers from 0")
    if momentum is not None and not 0.0 <= momentum <= 1.0:
        raise UserError(f"--momentum is {momentum:g}; allowed are 0 to 1")
    wishes = Wishes(to, patterns, rules, lacking or "", eps, momentum, target_eps)
    conversion = convert_weights(Path(source), Path(target), Path(into) if into else None, wishes)
    if format_ == "json":
        Output(output).write(json.dumps(conversion.to_json(), indent=2))
    else:
        Output(output).print(lambda console: print_conversion(conversion, console))
    return conversion.exit_code
