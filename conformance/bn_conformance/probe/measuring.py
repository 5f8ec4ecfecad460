"""What a probe measures of an implementation, as a check says it: what is not as declared, or that all of it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from time import perf_counter
from typing import Any

from bn_conformance.adapter import Convention
from bn_conformance.hosting.host import Host, HostLost, LayerError
from bn_conformance.hosting.isolated import IsolatedHost
from bn_conformance.hosting.kept import kept_cache, leave, process_for
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.implementations.known_faults import KnownFault
from bn_conformance.probe.experiments import JUDGING, Experiment, probe, with_known
from bn_conformance.probe.finding import Finding, Status
from bn_conformance.probe.laboratory import Laboratory
from bn_conformance.text import one_line

MOST_LINES = 6
"""Findings that are told; `bnconform probe` shows all."""

_CHOICES = frozenset(entry.name for entry in fields(Convention))


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        findings: of the experiments that were made.
        values: of the fields of the convention that could be measured, by name.
        seconds: that it took.
    """

    findings: Sequence[Finding]
    values: Mapping[str, Any]
    seconds: float = 0.0

    @property
    def contradicted(self) -> dict[str, Any]:
        """Fields of the convention that the behaviour contradicts, with the one declarable value that fits."""
        names = {finding.property for finding in self._with(Status.CONTRADICTS)}
        return {
            entry.name: self.values[entry.name] for entry in fields(Convention) if entry.name in names & {*self.values}
        }

    def lines(self, understood: bool = False) -> list[str]:
        """What is not as declared, a line each, and then what is; nothing where nothing could be measured.

        A fault is told only where nothing contradicts the declaration: it may follow from that.

        Args:
            understood: a diagnosis explains what fails, so that what is as declared needs no word.
        """
        differing = self._with(Status.CONTRADICTS) or self._with(Status.FAULT)
        lines = [_line(finding) for finding in differing[:MOST_LINES]]
        more = len(differing) - MOST_LINES
        lines += [f"and {more} more"] if more > 0 else []
        agreeing = [finding for finding in self._with(Status.AGREES) if finding.property in _CHOICES]
        if agreeing and not (understood and differing):
            lines.append(f"as declared: {', '.join(f'{one.property} {one_line(one.measured)}' for one in agreeing)}")
        return lines

    def _with(self, status: Status) -> list[Finding]:
        return [finding for finding in self.findings if finding.status is status]


def _line(finding: Finding) -> str:
    """A finding that is not as declared, in words."""
    word = "declared" if finding.property in _CHOICES else "right"
    declared = f"; {word}: {one_line(finding.declared)}" if finding.declared else ""
    clause = f" ({finding.clause})" if finding.clause else ""
    return f"{finding.property}: {one_line(finding.measured)}{declared}{clause}"


def measured_on(
    open_host: Callable[[], Host],
    implementation: Implementation,
    faults: Sequence[KnownFault] = (),
    experiments: Mapping[str, Experiment] = JUDGING,
) -> Measured:
    """Measure an implementation on hosts.

    Args:
        open_host: opens one; called again after its process was lost.
        implementation: what it declares.
        faults: known ones, which are no news.
        experiments: that are made.

    Raises:
        LayerError: it cannot be loaded.
        HostLost: its process ends while it is loaded.
    """
    start = perf_counter()
    laboratory = Laboratory(open_host, implementation.capabilities, implementation.convention)
    findings = with_known(probe(laboratory, experiments), implementation, faults)
    return Measured(findings, laboratory.measured, perf_counter() - start)


def measured_of(implementation: Implementation, timeout: float, faults: Sequence[KnownFault] = ()) -> Measured:
    """Measure an implementation in a process of its own, by the experiments that judge.

    Args:
        implementation: that can run here.
        timeout: the seconds that a call may take.
        faults: known ones, which are no news.

    Returns:
        What was measured; nothing where the implementation cannot be loaded.
    """
    process = process_for(implementation.variables(kept_cache()))
    try:
        return measured_on(
            lambda: IsolatedHost(process, implementation.target, implementation.device, timeout), implementation, faults
        )
    except (LayerError, HostLost):
        return Measured((), {})
    finally:
        leave(process)
