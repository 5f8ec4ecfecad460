"""What a layer does is measured whatever its adapter declares, and nothing that it does escapes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from tests.support.good_numpy import EVERYTHING
from tests.support.sample_declarations import TEXTBOOK

from bn_conformance.adapter import Capabilities, Convention
from bn_conformance.catalogue import all_cases
from bn_conformance.commands.subject import Worker
from bn_conformance.hosting.local import LocalHost
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.implementations.known_faults import KnownFault
from bn_conformance.mutation.mutant import PlainAdapter
from bn_conformance.probe.experiments import probe, with_known
from bn_conformance.probe.finding import AGREED, FAILED, FAILING, NOTHING, Finding, Status, exit_code
from bn_conformance.probe.findings_output import findings_json, print_findings
from bn_conformance.probe.laboratory import Laboratory
from bn_reference.deviations import catalogue
from bn_reference.layer.layer import PlainLayer
from bn_reference.specification.convention import CHOICES

ROOT = Path(__file__).parents[3]
CONVENTIONS: dict[str, dict[str, Any]] = {
    "torch": {},
    "textbook": TEXTBOOK,
    "keras": {"running_variance": "biased", "momentum_weighs": "old", "default_momentum": 0.99, "default_eps": 1e-3},
    "fused": {
        "default_momentum": 1.0,
        "eps_dtype": "float32",
        "momentum_dtype": "float32",
        "statistics_dtype": "float32",
    },
    "layers-v1": {
        "momentum_weighs": "old",
        "default_momentum": 0.99,
        "momentum_dtype": "float32-new",
        "statistics_move": "explicit",
    },
    "old-in-float32": {"momentum_weighs": "old", "default_momentum": 0.99, "momentum_dtype": "float32"},
    "backward": {"statistics_move": "backward"},
    "zero-debias": {"debiasing": "zero-debias", "default_momentum": 0.001},
    "first-batch": {"debiasing": "first-batch"},
    "eps-kept-and-added": {"eps_in_running_variance": True},
    "small-eps": {"default_eps": 1e-12},
    "large-eps": {"default_eps": 0.3, "default_momentum": 0.003},
    "eps-in-the-format-of-x": {"eps_dtype": "x"},
    "statistics-in-float64": {"statistics_dtype": "float64"},
    "no-defaults": {"default_eps": None, "default_momentum": None},
}
ALIKE = {"fused": {"momentum_dtype"}, "no-defaults": {"momentum_weighs"}}
"""Where two declarable values mean the same."""


def measured(
    adapter: PlainAdapter, declared: Convention | None = None, can: Capabilities = EVERYTHING
) -> list[Finding]:
    return probe(Laboratory(lambda: LocalHost(adapter), can, declared or adapter.convention))


def named(findings: list[Finding]) -> Mapping[str, Finding]:
    return {finding.property: finding for finding in findings}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_a_true_declaration_agrees(name: str) -> None:
    findings = measured(PlainAdapter(convention=Convention(**CONVENTIONS[name])))
    assert [finding for finding in findings if finding.status in FAILING] == []
    assert exit_code(findings) == AGREED
    assert {field.name for field in fields(Convention)} <= named(findings).keys()
    undetermined = {finding.property for finding in findings if finding.status is Status.UNDETERMINED}
    assert undetermined == ALIKE.get(name, set())


def test_every_choice_of_the_specification_is_among_them() -> None:
    tested = {
        (name, value) for choices in CONVENTIONS.values() for name, value in Convention(**choices).to_json().items()
    }
    assert {(name, value) for name, values in CHOICES.items() for value in values} <= tested


LIES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"running_variance": "biased"}, {}, "running_variance"),
    ({"default_momentum": 0.1}, {"momentum_weighs": "old", "default_momentum": 0.1}, "momentum_weighs"),
    ({"default_momentum": 0.01}, {}, "default_momentum"),
    ({"default_eps": 1.1e-5}, {}, "default_eps"),
    ({"default_eps": 1e-5}, {"default_eps": None}, "default_eps"),
    ({"statistics_move": "backward"}, {}, "statistics_move"),
    ({"statistics_move": "explicit"}, {}, "statistics_move"),
    ({"statistics_dtype": "parameter"}, {"statistics_dtype": "float32"}, "statistics_dtype"),
    ({"statistics_dtype": "parameter"}, {"statistics_dtype": "float64"}, "statistics_dtype"),
    ({"statistics_dtype": "float64"}, {}, "statistics_dtype"),
    ({"initial_running_variance": 0.0}, {}, "initial_running_variance"),
    ({"debiasing": "first-batch"}, {"debiasing": "zero-debias"}, "debiasing"),
    ({"eps_dtype": "float32"}, {}, "eps_dtype"),
    ({"eps_dtype": "x"}, {}, "eps_dtype"),
    ({"eps_dtype": "x"}, {"eps_dtype": "float32"}, "eps_dtype"),
    ({}, {"eps_dtype": "x"}, "eps_dtype"),
    ({"momentum_dtype": "float32"}, {}, "momentum_dtype"),
    ({"eps_in_running_variance": True}, {}, "eps_in_running_variance"),
    (TEXTBOOK, TEXTBOOK | {"eps_in_inference": True}, "eps_in_inference"),
]


@pytest.mark.parametrize(("truth", "lie", "field"), LIES, ids=[f"{place}-{lie[2]}" for place, lie in enumerate(LIES)])
def test_a_false_declaration_is_contradicted_and_nothing_else(
    truth: dict[str, Any], lie: dict[str, Any], field: str
) -> None:
    findings = measured(PlainAdapter(convention=Convention(**truth)), Convention(**lie))
    assert named(findings)[field].status is Status.CONTRADICTS
    assert [finding.property for finding in findings if finding.status in FAILING] == [field]
    assert exit_code(findings) == FAILED


FAULTS = {
    "y-unbiased": ("eps in training", "FWD-2"),
    "eps-outside-root": ("eps in training", "FWD-2"),
    "eps-twice-in-training": ("eps in training", "FWD-2"),
    "eps-missing-in-training": ("eps in training", "FWD-2"),
    "inference-eps-outside-root": ("eps_in_inference", "EVAL-2"),
    "inference-eps-missing": ("eps_in_inference", "EVAL-2"),
    "inference-uses-batch": ("eps_in_inference", "EVAL-3"),
    "initial-mean-one": ("initial running mean", "STAT-3"),
    "never-moves": ("statistics_move", "STAT-4"),
    "moves-again-in-backward": ("statistics_move", "STAT-4"),
    "moves-in-inference": ("statistics in inference", "STAT-5"),
    "momentum-squared": ("debiasing", "STAT-1"),
    "running-deviation": ("running_variance", "STAT-2"),
    "statistics-kept-in-float16": ("debiasing", "STAT-1"),
    "float64-through-float32": ("eps_dtype", "DTYPE-3"),
    "inference-gradient-through-batch": ("gradient in inference", "GRAD-4"),
    "freeze-does-nothing": ("frozen layer", "STATE-3"),
    "frozen-layer-moves": ("frozen layer", "STATE-3"),
    "one-value-passes-through": ("one value per channel", "EDGE-1"),
    "one-value-gives-nan": ("one value per channel", "EDGE-1"),
    "empty-batch-spoils-statistics": ("empty batch", "EDGE-2"),
    "y-in-float64": ("formats for x in float32", "DTYPE-1"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_nobody_may_declare_is_a_fault_with_its_clause(name: str) -> None:
    findings = measured(PlainAdapter([catalogue()[name]]))
    failing = [finding for finding in findings if finding.status is Status.FAULT]
    assert FAULTS[name] in {(finding.property, finding.clause) for finding in failing}, failing
    assert {finding.case for finding in failing if finding.case} <= all_cases().keys()
    assert exit_code(findings) == FAILED


class KeepsFloat16(PlainLayer):
    """Running statistics in float16, whatever the parameters have."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.statistics_dtype = np.dtype(np.float16)
        self.running_mean, self.running_var = (part.astype(self.statistics_dtype) for part in self.running_statistics())


def test_statistics_of_a_format_that_nobody_may_declare_are_a_fault() -> None:
    finding = named(measured(PlainAdapter(base=KeepsFloat16)))["statistics_dtype"]
    assert (finding.status, finding.clause) == (Status.FAULT, "DTYPE-1")
    assert "float16 for float32" in finding.detail


def test_momentum_that_the_adapter_forgot_to_turn_round_is_contradicted() -> None:
    finding = named(measured(PlainAdapter([catalogue()["momentum-swapped"]])))["momentum_weighs"]
    assert finding.status is Status.CONTRADICTS


@pytest.mark.parametrize("algorithm", ["two-pass", "raw-moments"])
def test_the_variance_algorithm_shows_in_how_the_error_grows(algorithm: str) -> None:
    entries = [catalogue()[algorithm]] if algorithm in catalogue() else []
    findings = measured(PlainAdapter(entries, work=np.dtype(np.float32)))
    assert named(findings)["variance algorithm in float32"].measured == algorithm


def test_what_is_not_declared_is_not_measured_and_does_not_fail() -> None:
    can = Capabilities(dtypes=frozenset({"float32"}), gradients=frozenset({"training"}))
    findings = measured(PlainAdapter(), can=can)
    absent = {finding.property for finding in findings if finding.status is Status.NOT_MEASURED}
    assert absent == {"eps_dtype", "momentum_dtype", "gradient in inference", "frozen layer"}
    assert exit_code(findings) == AGREED


def test_a_forward_of_training_alone_is_not_asked_for_statistics_and_inference() -> None:
    can = Capabilities(modes=frozenset({"training"}), statistics=False, set_statistics=False, gradients=frozenset())
    findings = measured(PlainAdapter(), can=can)
    absent = {finding.property for finding in findings if finding.status is Status.NOT_MEASURED}
    assert absent >= {"initial running statistics", "statistics_move", "eps_in_inference", "default_momentum"}
    assert exit_code(findings) == AGREED


def test_a_known_fault_is_named_as_such_and_does_not_fail() -> None:
    findings = measured(PlainAdapter([catalogue()["empty-batch-spoils-statistics"]]))
    entry = KnownFault(implementation="plain", case="edge/*/empty-batch", reason="there is no guard")
    known = with_known(findings, Implementation(name="plain", target="x"), [entry])
    assert named(known)["empty batch"].status is Status.KNOWN
    assert exit_code(known) == AGREED
    assert exit_code(with_known(findings, Implementation(name="other", target="x"), [entry])) == FAILED


def test_the_table_never_cuts_a_name_short_and_takes_no_text_for_markup() -> None:
    findings = [replace(finding, measured="[bold]\x1b[31m") for finding in measured(PlainAdapter())]
    out = StringIO()
    print_findings(Implementation(name="a[b]", target="x"), findings, Console(file=out, width=40))
    assert [finding.property for finding in findings if finding.property not in out.getvalue()] == []
    assert "[bold]" in out.getvalue()
    assert "\x1b[31m" not in out.getvalue()


def test_json_holds_every_finding() -> None:
    findings = measured(PlainAdapter())
    document = json.loads(findings_json(Implementation(name="plain", target="x"), findings, 0.1))
    assert [entry["property"] for entry in document["findings"]] == [finding.property for finding in findings]
    assert document["exit_code"] == AGREED


HOSTILE = {
    "RaisesInBuild": NOTHING,
    "RaisesInForward": FAILED,
    "RaisesInBackward": FAILED,
    "Exits": FAILED,
    "GivesNan": FAILED,
    "GivesNone": FAILED,
    "GivesAnotherShape": FAILED,
    "GivesComplex": FAILED,
    "GivesNoStatistics": FAILED,
    "GivesStatisticsOfAnotherShape": FAILED,
}


def hostile(name: str, timeout: float = 30.0) -> list[Finding]:
    implementation = Implementation(name=name, target=f"tests.support.hostile:{name}", capabilities=EVERYTHING)
    worker = Worker(implementation, timeout)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        try:
            return probe(Laboratory(worker.open, EVERYTHING, Convention()))
        finally:
            worker.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_adapter_is_reported_and_nothing_escapes(name: str) -> None:
    assert exit_code(hostile(name)) == HOSTILE[name]


@pytest.mark.slow
def test_an_adapter_that_hangs_is_given_up() -> None:
    findings = hostile("Hangs", timeout=1.0)
    assert exit_code(findings) == FAILED
    assert any("did not answer within 1 s" in finding.detail for finding in findings)
    assert any("given up" in finding.detail for finding in findings)
