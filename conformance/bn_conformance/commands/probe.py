"""`bnconform probe`: the convention of an implementation, measured from its behaviour."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from bn_conformance.hosting.host import Host, LayerError
from bn_conformance.hosting.isolated import IsolatedHost
from bn_conformance.hosting.process import Process
from bn_conformance.implementations.known_faults import KnownFaultsError, load, shipped
from bn_conformance.implementations.registry import OK, Implementation, UnknownImplementation, find
from bn_conformance.probe.finding import exit_code
from bn_conformance.probe.laboratory import Laboratory
from bn_conformance.targets.naming import TargetError


def one_implementation(name: str, device: str = "cpu") -> Implementation:
    """The one implementation of a name or target.

    Raises:
        UsageError: there is none, it cannot run here, or the name is a pattern of several.
    """
    try:
        found = find([name], device)
    except (UnknownImplementation, TargetError) as error:
        raise click.UsageError(str(error)) from None
    if len(found) != 1:
        names = ", ".join(entry.name for entry in found)
        raise click.UsageError(f"{name} names {len(found)} implementations ({names}); name one")
    if found[0].status != OK:
        raise click.UsageError(f"{found[0].name}: {found[0].message}")
    return found[0]


class Worker:
    """Opens hosts of one implementation, each in a fresh process once the last one is lost."""

    def __init__(self, implementation: Implementation, timeout: float) -> None:
        self._implementation, self._timeout = implementation, timeout
        self._process: Process | None = None

    def open(self) -> Host:
        """A host in a running process.

        Raises:
            LayerError: the adapter cannot be loaded.
            HostLost: its process ends or hangs while it loads.
        """
        self.close()
        self._process = Process(self._implementation.variables())
        return IsolatedHost(self._process, self._implementation.target, self._implementation.device, self._timeout)

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.close()
            self._process = None


@contextmanager
def worker(implementation: Implementation, timeout: float) -> Iterator[Worker]:
    """A worker that ends with the block."""
    made = Worker(implementation, timeout)
    try:
        yield made
    finally:
        made.close()


def probe(
    implementation: str,
    format_: str,
    output: str,
    device: str,
    timeout: float,
    known_faults: tuple[str, ...],
    kind: str = "",
    convention: tuple[str, ...] = (),
) -> int:
    """Measure, print, and say by the exit code whether the declaration holds."""
    from bn_conformance.commands.wrappers import target_of
    from bn_conformance.probe.experiments import probe as run_probe
    from bn_conformance.probe.experiments import with_known
    from bn_conformance.probe.findings_output import print_findings, to_json

    subject = one_implementation(target_of(implementation, kind, convention), device)
    try:
        faults = [*shipped(), *(fault for path in known_faults for fault in load(path))]
    except KnownFaultsError as error:
        raise click.UsageError(str(error)) from None
    start = time.perf_counter()
    with worker(subject, timeout) as process:
        try:
            laboratory = Laboratory(process.open, subject.capabilities, subject.convention)
            findings = with_known(run_probe(laboratory), subject, faults)
        except LayerError as error:
            raise click.UsageError(f"{subject.name} cannot be loaded: {error.message}") from None
    if format_ == "json":
        emit(to_json(subject, findings, time.perf_counter() - start), output)
    else:
        from rich.console import Console

        if output and output != "-":
            with open_output(output) as file:
                print_findings(subject, findings, Console(file=file, width=160, no_color=True))
        else:
            print_findings(subject, findings, Console())
    return exit_code(findings)


@contextmanager
def open_output(path: str):  # type: ignore[no-untyped-def]
    """A text file to write; what cannot be written is a mistake of usage."""
    from pathlib import Path

    try:
        with Path(path).open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written ({error.strerror}); name another file with -o") from None


def emit(text: str, output: str) -> None:
    """Text to a file, or to standard output."""
    if not output or output == "-":
        click.echo(text)
        return
    with open_output(output) as file:
        file.write(text + "\n")
    click.echo(f"Written: {output}", err=True)
