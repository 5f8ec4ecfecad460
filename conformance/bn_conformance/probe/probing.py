"""All experiments in their order; whatever an implementation does in one, the others still run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.host import HostLost, LayerError
from bn_conformance.implementations.known_faults import KnownFault
from bn_conformance.implementations.registry import Implementation
from bn_conformance.probe import accuracy, averages, defaults, edges, formats, outputs
from bn_conformance.probe.finding import Finding, Status
from bn_conformance.probe.laboratory import BadAnswer, Laboratory, Unmeasurable

Experiment = Callable[[Laboratory], Iterator[Finding]]

EXPERIMENTS: dict[str, Experiment] = {
    "initial running statistics": averages.initial,
    "statistics_move": averages.moves,
    "running averages": averages.averages,
    "eps in training": outputs.training_eps,
    "eps_in_inference": outputs.inference_eps,
    "formats": formats.formats,
    "eps_dtype, momentum_dtype": formats.hyper_parameters,
    "default_eps": defaults.default_eps,
    "default_momentum": defaults.default_momentum,
    "form of inference": outputs.formula,
    "gradient in inference": outputs.gradient,
    "frozen layer": outputs.freezing,
    "one value per channel": edges.one_value,
    "empty batch": edges.empty_batch,
    "variance algorithm": accuracy.variance,
}
"""By what they measure. The order matters: later ones build on what earlier ones found."""


def probe(laboratory: Laboratory) -> list[Finding]:
    """Everything that can be measured of an implementation; nothing that it does escapes."""
    found: list[Finding] = []
    for what, experiment in EXPERIMENTS.items():
        try:
            for finding in experiment(laboratory):
                found.append(finding)
        except Unmeasurable as reason:
            found.append(Finding(property=what, measured="", status=Status.NOT_MEASURED, detail=str(reason)))
        except BadAnswer as error:
            found.append(
                Finding(property=what, measured="", status=Status.ERRORED, detail=str(error), clause=error.clause)
            )
        except LayerError as error:
            found.append(Finding(property=what, measured="", status=Status.ERRORED, detail=str(error)))
        except HostLost as loss:
            laboratory.lost(loss)
            found.append(Finding(property=what, measured="", status=Status.ERRORED, detail=loss.message))
    return found


def with_known(
    findings: Sequence[Finding], implementation: Implementation, faults: Sequence[KnownFault]
) -> list[Finding]:
    """Faults that the list of known faults has already, named as such: those of the same case of the matrix."""
    return [_known(finding, implementation, faults) for finding in findings]


def _known(finding: Finding, implementation: Implementation, faults: Sequence[KnownFault]) -> Finding:
    case = all_cases().get(finding.case)
    if finding.status is not Status.FAULT or case is None:
        return finding
    for fault in faults:
        if fault.applies_to(implementation) and fault.covers(case):
            return replace(finding, status=Status.KNOWN, detail=f"{fault.reason}; {finding.detail}".rstrip("; "))
    return finding
