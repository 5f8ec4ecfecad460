"""`bnconform diff`: how two implementations differ, and the verified recipe between them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack

import click

from bn_conformance.commands.declaring import Output, SuiteCommand, output_options, run_options
from bn_conformance.commands.subject import single_implementation, worker
from bn_conformance.diff.difference import Diff, diff_sides
from bn_conformance.diff.sides import Side, convention_side, is_convention, measured_side
from bn_conformance.hosting.host import Host, LayerError
from bn_conformance.hosting.local import LocalHost
from bn_conformance.mutation.mutant import PlainAdapter
from bn_conformance.user_error import UserError


@click.command(cls=SuiteCommand, epilog="Exit codes: 0 converted and verified, 1 not, 2 usage.")
@click.argument("a")
@click.argument("b")
@output_options("terminal", "markdown", "html", "json")
@run_options("device", "timeout", timeout=60.0)
def command(a: str, b: str, format_: str, output: str, device: str, timeout: float) -> int:
    """Show how two implementations differ, and convert one's state to the other's.

    A and B are names, targets, or conventions such as running_variance=biased. Of code of one's own the convention is
    measured. The recipe that converts parameters and running statistics is run and verified in both directions.
    """
    with ExitStack() as stack:
        sides = [_side(name, device, timeout, stack) for name in (a, b)]
        (side_a, open_a), (side_b, open_b) = sides
        try:
            difference = diff_sides(side_a, side_b, open_a, open_b)
        except LayerError as error:
            raise UserError(f"one of the two cannot be loaded: {error.message}") from None
    _show(difference, format_, Output(output))
    return difference.exit_code


def _side(name: str, device: str, timeout: float, stack: ExitStack) -> tuple[Side, Callable[[], Host]]:
    """What is compared, and what opens a host of it; `stack` ends its process."""
    if is_convention(name):
        side = convention_side(name)
        return side, lambda: LocalHost(PlainAdapter(convention=side.convention))
    implementation = single_implementation(name, device)
    side = (
        Side(implementation.name, implementation.convention, implementation.capabilities, implementation)
        if implementation.registered
        else measured_side(implementation, timeout)
    )
    if "float32" not in side.capabilities.dtypes:
        raise UserError(f"{side.name} does not declare float32, in which the comparison runs")
    return side, stack.enter_context(worker(implementation, timeout)).open


def _show(difference: Diff, format_: str, output: Output) -> None:
    if format_ == "json":
        output.write(json.dumps(difference.to_json(), indent=2))
    elif format_ == "markdown":
        from bn_conformance.diff.markdown import diff_markdown

        output.write(diff_markdown(difference))
    elif format_ == "html":
        from bn_conformance.diff.html import diff_html

        output.write(diff_html(difference))
    else:
        from bn_conformance.diff.terminal import print_diff

        output.print(lambda console: print_diff(difference, console))
