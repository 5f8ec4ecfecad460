"""`bnconform check --as KIND`: code that is judged without an adapter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bn_conformance.implementations.registry import Implementation, described_once
from bn_conformance.matrix.recorder import FAILS, default_path
from bn_conformance.results.file import read
from bn_conformance.targets.loading import TargetError, kind_of
from bn_conformance.targets.wrappers import spelled


def target_of(target: str, kind: str, convention: Sequence[str]) -> str:
    """The target that `--as` and `--convention` spell together with what was named.

    Raises:
        UsageError: there is no such kind, or a choice is not declarable or has nothing to belong to.
    """
    found = kind_of(target)
    if not kind and found is None:
        if convention:
            raise click.UsageError("--convention needs --as KIND; an adapter declares its convention itself")
        return target
    if kind and found is not None:
        raise click.UsageError(f"{target} names its kind already; leave out --as")
    try:
        return spelled(*((kind, target) if found is None else found), convention)
    except TargetError as error:
        raise click.UsageError(str(error)) from None


def check_kind(target: str, **options: Any) -> int:
    """Say what was found of the code, judge it, and say which other choices of the convention it matches."""
    from bn_conformance.commands.run import run

    try:
        with described_once(target, options["device"]) as implementation:
            if options["device"] not in implementation.capabilities.devices:
                raise click.UsageError(
                    f"{implementation.name} runs on {', '.join(implementation.capabilities.devices)}"
                )
            _introduce(implementation)
            options["results"] = options["results"] or default_path()
            code = run(implementations=(target,), **options)
    except TargetError as error:
        raise click.UsageError(str(error)) from None
    if code == FAILS:
        _advise(implementation, Path(options["results"]), options["level"], options["timeout"])
    return code


def _introduce(implementation: Implementation) -> None:
    click.echo(f"{implementation.name}:")
    for note in implementation.notes:
        click.echo(f"  {note}")
    click.echo(err=True)


def _advise(implementation: Implementation, results: Path, level: str, timeout: float) -> None:
    """Print the advice, and the command that declares it."""
    from bn_conformance.probe.advice import Advisor

    advice = Advisor(implementation, level, timeout).advise(read(results).items)
    click.echo()
    if advice is None:
        click.echo(f"{implementation.name}: no other choice of the convention makes what fails pass.")
        return
    click.echo(f"{implementation.name} {advice.sentence()}.")
