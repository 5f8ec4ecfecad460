"""What a check says of what it measured: what is not as declared first, and what is where nothing else explains it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.command_line import ROOT, WRONG, write

from bn_conformance.hosting.local import LocalHost
from bn_conformance.implementations.registry import from_target
from bn_conformance.mutation.mutant import ALL_CAPABILITIES, PlainAdapter
from bn_conformance.probe.experiments import EXPERIMENTS, OBSERVING, probe
from bn_conformance.probe.finding import Finding, Status
from bn_conformance.probe.laboratory import Laboratory
from bn_conformance.probe.measuring import MOST_LINES, Measured, measured_of
from bn_reference.deviations import catalogue

BIASED = Finding(
    property="running_variance", measured="biased", declared="unbiased", status=Status.CONTRADICTS, clause="STAT-2"
)
NEW = Finding(property="momentum_weighs", measured="new", declared="new", status=Status.AGREES)
FAULT = Finding.fault("frozen layer", "uses the batch", "STATE-3", declared="uses its running statistics")


def test_a_contradiction_has_both_values_and_the_clause() -> None:
    assert Measured([BIASED], {}).lines() == ["running_variance: biased; declared: unbiased (STAT-2)"]


def test_what_is_right_and_cannot_be_declared_is_called_right() -> None:
    assert Measured([FAULT], {}).lines() == [
        "frozen layer: uses the batch; right: uses its running statistics (STATE-3)"
    ]


def test_a_fault_may_follow_from_a_contradiction_and_waits_until_there_is_none() -> None:
    assert Measured([FAULT, BIASED], {}).lines() == Measured([BIASED], {}).lines()


def test_what_is_as_declared_is_said_unless_a_diagnosis_explains_what_differs() -> None:
    agrees = "as declared: momentum_weighs new"
    assert Measured([NEW], {}).lines(understood=True) == [agrees]
    assert Measured([NEW, BIASED], {}).lines()[-1] == agrees
    assert agrees not in Measured([NEW, BIASED], {}).lines(understood=True)


def test_only_a_few_faults_are_told() -> None:
    lines = Measured([FAULT] * (MOST_LINES + 2), {}).lines()
    assert len(lines) == MOST_LINES + 1
    assert lines[-1] == "and 2 more"


def test_choices_are_those_that_could_be_measured() -> None:
    assert Measured([BIASED, FAULT], {"running_variance": "biased", "momentum_weighs": "new"}).contradicted == {
        "running_variance": "biased"
    }


def test_a_wrong_layer_is_measured_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    lines = measured_of(from_target(str(tmp_path / write(tmp_path, "wrong.py", WRONG))), 60.0).lines()
    assert "eps in training: none of the known ways; right: inside the root, once (FWD-2)" in lines
    assert any(line.startswith("as declared: ") and "running_variance unbiased" in line for line in lines)


@pytest.mark.parametrize("deviations", [(), ("raw-moments",), ("statistics-as-rows",), ("folded-scale-of-12-bits",)])
def test_the_experiments_that_it_leaves_out_would_tell_nothing(deviations: tuple[str, ...]) -> None:
    adapter = PlainAdapter([catalogue()[name] for name in deviations])
    laboratory = Laboratory(lambda: LocalHost(adapter), ALL_CAPABILITIES, adapter.convention)
    laboratory.built = True
    findings = probe(laboratory, {name: EXPERIMENTS[name] for name in OBSERVING})
    assert "inference row by row" in {finding.property for finding in findings}
    assert {finding.status for finding in findings} <= {Status.OBSERVED, Status.NOT_MEASURED, Status.ERRORED}
    assert Measured(findings, laboratory.measured).lines() == []
    assert Measured(findings, laboratory.measured).contradicted == {}
