"""`bnconform probe`: the convention of an implementation, measured from its behaviour."""

from __future__ import annotations

import time

import click

from bn_conformance.commands.declaring import Output, SuiteCommand, output_options, run_options, target_options
from bn_conformance.commands.subject import single_implementation, target_of, worker
from bn_conformance.hosting.host import LayerError
from bn_conformance.implementations.known_faults import shipped_and_own
from bn_conformance.probe.experiments import probe, with_known
from bn_conformance.probe.finding import exit_code
from bn_conformance.probe.findings_output import findings_json, print_findings
from bn_conformance.probe.laboratory import Laboratory
from bn_conformance.user_error import UserError


@click.command(
    cls=SuiteCommand,
    epilog="Exit codes: 0 all agrees, 1 something does not, 2 usage, 3 nothing could be measured.",
)
@click.argument("implementation")
@target_options
@output_options("terminal", "json")
@run_options("device", "timeout", "known_faults", timeout=60.0)
def command(
    implementation: str,
    kind: str,
    convention: tuple[str, ...],
    names: tuple[str, ...],
    arguments: tuple[str, ...],
    format_: str,
    output: str,
    device: str,
    timeout: float,
    known_faults: tuple[str, ...],
) -> int:
    """Measure the convention of an implementation from its behaviour.

    The measured convention is set beside the one that the implementation declares.
    """
    subject = single_implementation(target_of(implementation, kind, convention, names, arguments), device)
    faults = shipped_and_own(known_faults)
    start = time.perf_counter()
    with worker(subject, timeout) as process:
        try:
            laboratory = Laboratory(process.open, subject.capabilities, subject.convention)
            findings = with_known(probe(laboratory), subject, faults)
        except LayerError as error:
            raise UserError(f"{subject.name} cannot be loaded: {error.message}") from None
    if format_ == "json":
        Output(output).write(findings_json(subject, findings, time.perf_counter() - start))
    else:
        Output(output).print(lambda console: print_findings(subject, findings, console))
    return exit_code(findings)
