"""`bnconform diff`: how two sides differ, and the verified recipe between them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack

import click

from bn_conformance.commands.probe import emit, one_implementation, open_output, worker
from bn_conformance.diff.difference import Diff, diff_sides
from bn_conformance.diff.sides import Side, SideError, convention_side, is_convention
from bn_conformance.hosting.host import Host, LayerError
from bn_conformance.hosting.local import LocalHost
from bn_conformance.mutation.mutant import PlainAdapter

Opener = Callable[[], Host]


def diff(a: str, b: str, format_: str, output: str, device: str, timeout: float) -> int:
    """Compare, print, and say by the exit code whether the conversion is verified."""
    with ExitStack() as stack:
        sides = [_side(name, device, timeout, stack) for name in (a, b)]
        try:
            found = diff_sides(sides[0][0], sides[1][0], sides[0][1], sides[1][1])
        except LayerError as error:
            raise click.UsageError(f"a side cannot be loaded: {error.message}") from None
    _show(found, format_, output)
    return found.exit_code


def _side(name: str, device: str, timeout: float, stack: ExitStack) -> tuple[Side, Opener]:
    if is_convention(name):
        try:
            party = convention_side(name)
        except SideError as error:
            raise click.UsageError(str(error)) from None
        return party, lambda: LocalHost(PlainAdapter(convention=party.convention))
    implementation = one_implementation(name, device)
    party = Side(implementation.name, implementation.convention, implementation.capabilities, implementation)
    if "float32" not in party.capabilities.dtypes:
        raise click.UsageError(f"{party.name} does not declare float32, in which the comparison runs")
    return party, stack.enter_context(worker(implementation, timeout)).open


def _show(found: Diff, format_: str, output: str) -> None:
    if format_ == "json":
        emit(json.dumps(found.to_json(), indent=2), output)
    elif format_ == "markdown":
        from bn_conformance.diff.markdown import render

        emit(render(found), output)
    elif format_ == "html":
        from bn_conformance.diff.html import render

        emit(render(found), output)
    else:
        from rich.console import Console

        from bn_conformance.diff.terminal import print_diff

        if output and output != "-":
            with open_output(output) as file:
                print_diff(found, Console(file=file, width=160, no_color=True))
        else:
            print_diff(found, Console())
