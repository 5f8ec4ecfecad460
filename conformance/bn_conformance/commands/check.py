"""`bnconform check`: one implementation of your own, an adapter or code without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bn_conformance.commands.run import run
from bn_conformance.commands.wrappers import target_of
from bn_conformance.implementations.registry import Implementation, described_once
from bn_conformance.matrix.recorder import FAILS, default_path
from bn_conformance.results.file import read
from bn_conformance.targets.naming import TargetError, wrapper_and_code


def check(target: str, kind: str, convention: tuple[str, ...], **options: Any) -> int:
    """Judge one implementation and explain what fails; code of a kind is told what else it matches."""
    target = target_of(target, kind, convention)
    if wrapper_and_code(target) is None:
        return run(implementations=(target,), **options)
    return check_kind(target, **options)


def check_kind(target: str, **options: Any) -> int:
    """Say what was found of the code, judge it, and say which other choices of the convention it matches."""
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
