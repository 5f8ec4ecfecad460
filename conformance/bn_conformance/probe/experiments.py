"""Runs all experiments of a probe. Whatever an implementation does in one experiment, the others still run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.host import HostLost, LayerError
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.implementations.known_faults import KnownFault
from bn_conformance.probe import (
    accuracy,
    defaults,
    formulas,
    kept_formats,
    rows_alone,
    running_statistics,
    small_batches,
    undeclared,
)
from bn_conformance.probe.finding import Finding, Status
from bn_conformance.probe.laboratory import BadAnswer, Laboratory, Unmeasurable

Experiment = Callable[[Laboratory], Iterator[Finding]]

EXPERIMENTS: dict[str, Experiment] = {
    "initial running statistics": running_statistics.initial_findings,
    "statistics_move": running_statistics.moves,
    "running averages": running_statistics.averages,
    "eps in training": formulas.training_eps,
    "eps_in_inference": formulas.inference_eps,
    "formats": kept_formats.formats,
    "eps_dtype": kept_formats.kept_eps,
    "momentum_dtype": kept_formats.kept_momentum,
    "default_eps": defaults.eps_finding,
    "default_momentum": defaults.default_momentum,
    "form of inference": formulas.inference_form,
    "gradient in inference": formulas.gradient,
    "frozen layer": formulas.freezing,
    "one value per channel": small_batches.one_value,
    "empty batch": small_batches.empty_batch_finding,
    "inference row by row": rows_alone.rows_alone,
    "variance algorithm": accuracy.variance_algorithm,
    "undeclared capabilities": undeclared.undeclared,
}
"""Experiments by what they measure. The order matters: later ones use what earlier ones measured."""

OBSERVING = frozenset({"inference row by row", "undeclared capabilities"})
"""Experiments whose findings are neither as declared nor against it, neither right nor wrong."""

JUDGING = {name: experiment for name, experiment in EXPERIMENTS.items() if name not in OBSERVING}
"""The other experiments."""


def probe(laboratory: Laboratory, experiments: Mapping[str, Experiment] = EXPERIMENTS) -> list[Finding]:
    """The findings of experiments; an error of the implementation is a finding, and none is raised."""
    findings: list[Finding] = []
    for name, experiment in experiments.items():
        try:
            for finding in experiment(laboratory):
                findings.append(finding)
        except Unmeasurable as reason:
            findings.append(_without_value(name, Status.NOT_MEASURED, str(reason)))
        except BadAnswer as error:
            findings.append(_without_value(name, Status.ERRORED, str(error), error.clause))
        except LayerError as error:
            findings.append(_without_value(name, Status.ERRORED, str(error)))
        except HostLost as loss:
            laboratory.lost(loss)
            findings.append(_without_value(name, Status.ERRORED, loss.message))
    return findings


def _without_value(name: str, status: Status, detail: str, clause: str = "") -> Finding:
    return Finding(property=name, measured="", status=status, detail=detail, clause=clause)


def with_known(
    findings: Sequence[Finding], implementation: Implementation, faults: Sequence[KnownFault]
) -> list[Finding]:
    """The findings, with each fault that is a known fault of its case in the matrix marked as such."""
    return [_marked(finding, implementation, faults) for finding in findings]


def _marked(finding: Finding, implementation: Implementation, faults: Sequence[KnownFault]) -> Finding:
    case = all_cases().get(finding.case)
    if finding.status is not Status.FAULT or case is None:
        return finding
    for fault in faults:
        if fault.applies_to(implementation) and fault.covers(case):
            return replace(finding, status=Status.KNOWN, detail=f"{fault.reason}; {finding.detail}".rstrip("; "))
    return finding
