"""What `bnconform check` does: it describes an implementation, has it judged, and says what else was measured."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bn_conformance.commands.run import load_for_a_run, run
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.implementations.known_faults import shipped_and_own
from bn_conformance.implementations.registry import described_once
from bn_conformance.options import RunOptions
from bn_conformance.results.exit_codes import FAILS
from bn_conformance.results.file import Results
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Diagnosis
from bn_conformance.user_error import UserError

if TYPE_CHECKING:
    from bn_conformance.probe.advice import Advice


def judge_target(options: RunOptions, processes: str) -> int:
    """Judge a target; of code without an adapter say what was found, and of what fails what was measured.

    Args:
        options: of the run, with the target as its one implementation.
        processes: as of `run`.

    Returns:
        The exit code.

    Raises:
        UserError: the target names nothing that can be judged on the device, or an option is out of range.
    """
    (target,) = options.implementations
    preparing = threading.Thread(target=load_for_a_run, args=(options,), name="prepares the run")
    preparing.start()
    try:
        with described_once(target, options.device) as implementation:
            if implementation.notes:
                devices = implementation.capabilities.devices
                if options.device not in devices:
                    raise UserError(f"{implementation.name} runs on {', '.join(devices)}; name one of these")
                _introduce(implementation)
            preparing.join()
            ran = run(options, processes)
            if ran.exit_code == FAILS and ran.results is not None:
                _measure_and_advise(implementation, options, ran.results)
    finally:
        preparing.join()  # what still imports while the interpreter ends prints a traceback
    return ran.exit_code


def _introduce(implementation: Implementation) -> None:
    click.echo(f"{implementation.name}:")
    for note in implementation.notes:
        click.echo(f"  {note}")
    click.echo(err=True)


def _measure_and_advise(implementation: Implementation, options: RunOptions, results: Results) -> None:
    """Print what was measured; of code without an adapter also which other choices of the convention it matches."""
    from bn_conformance.probe.advice import Advisor
    from bn_conformance.probe.measuring import measured_of

    if not any(item.verdict == ItemVerdict.FAIL.value for item in results.items):
        return
    measured = measured_of(implementation, options.timeout, shipped_and_own(options.known_faults))
    lines = measured.lines(bool(results.diagnoses) and all(found.deviations for found in results.diagnoses))
    if lines:
        click.echo(f"\n{implementation.name}, measured (bnconform probe shows all):")
    for line in lines:
        click.echo(f"  {line}")
    if implementation.notes:  # an adapter declares what it is
        advisor = Advisor(implementation, options.level, options.timeout, measured)
        advice = advisor.advise(results.items, _named(results.diagnoses))
        click.echo()
        click.echo(advice_line(implementation.name, advice, results.diagnoses))


def _named(diagnoses: Sequence[Diagnosis]) -> dict[str, Any]:
    """The choices that diagnoses name, by field of the convention."""
    from bn_reference.deviations import catalogue

    names = (part for diagnosis in diagnoses for name in diagnosis.deviations for part in name.split("+"))
    return {key: value for name in names for key, value in catalogue()[name].convention.items()}


def advice_line(name: str, advice: Advice | None, diagnoses: Sequence[Diagnosis]) -> str:
    """The advice in a line that goes with the diagnosis, which was printed before.

    Args:
        name: of the implementation.
        advice: other choices under which failing cases pass; None where there are none.
        diagnoses: of the run.
    """
    if advice is not None:
        left_open = any(not diagnosis.deviations for diagnosis in diagnoses)
        return f"{name}{': what the diagnosis left open may be a choice. It' if left_open else ''} {advice.sentence()}."
    if any("if that is meant, declare" in diagnosis.message for diagnosis in diagnoses):
        return f"{name}: the choice that the diagnosis names does not make all of what fails pass."
    return f"{name}: no other choice of the convention makes what fails pass."
