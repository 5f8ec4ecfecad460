"""What is not declared is tried once and told where it works; and whether a row's bits depend on other rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from tests.support.command_line import ROOT

from bn_conformance.adapter import Adapter, Array, Capabilities, LayerConfig
from bn_conformance.commands.subject import Worker
from bn_conformance.hosting.local import LocalHost
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.mutation.mutant import ALL_CAPABILITIES, PlainAdapter
from bn_conformance.probe.experiments import EXPERIMENTS
from bn_conformance.probe.finding import Finding, Status
from bn_conformance.probe.laboratory import Laboratory
from bn_conformance.probe.undeclared import attempts
from bn_reference.deviations import catalogue
from bn_reference.layer.layer import PlainLayer

LESS = replace(ALL_CAPABILITIES, masks=False, ranks=frozenset({2, 4}), shards=frozenset(), mixed=frozenset())


def findings(experiment: str, adapter: Adapter, can: Capabilities = LESS) -> Mapping[str, Finding]:
    laboratory = Laboratory(lambda: LocalHost(adapter), can, adapter.convention)
    laboratory.built = True
    return {finding.property: finding for finding in EXPERIMENTS[experiment](laboratory)}


def tried(adapter: Adapter, can: Capabilities = LESS) -> Mapping[str, Finding]:
    return findings("undeclared capabilities", adapter, can)


def test_what_works_without_being_declared_is_told_with_the_case_that_passes() -> None:
    found = tried(PlainAdapter())
    assert {finding.measured for finding in found.values()} == {"works"}
    assert {*found} >= {"masks", "rank 3", "rank 5", "float16 with float32 parameters", "synchronised shards (equal)"}
    assert found["masks"].detail.startswith("not declared, and mask/nc/float32/random is ")
    assert {finding.status for finding in found.values()} == {Status.OBSERVED}


def test_what_gives_wrong_numbers_does_not_work() -> None:
    assert "masks" not in tried(PlainAdapter([catalogue()["mask-ignored"]]))


class RefusesMasks(PlainLayer):
    """Has no masks, as most layers."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        if mask is not None:
            raise NotImplementedError("no masks")
        return super().forward_masked(x, mask, training)


def test_where_nothing_works_that_is_said_with_what_was_tried() -> None:
    found = tried(PlainAdapter(base=RefusesMasks), replace(ALL_CAPABILITIES, masks=False))
    assert [finding.measured for finding in found.values()] == ["none works"]
    assert found["undeclared capabilities"].detail == "tried: masks"


def test_where_all_is_declared_nothing_is_tried() -> None:
    assert tried(PlainAdapter(), ALL_CAPABILITIES) == {}


def test_gradients_are_tried_though_a_case_without_them_is_supported() -> None:
    can = replace(ALL_CAPABILITIES, gradients=frozenset({"training"}))
    names = {attempt.name for attempt in attempts(can, PlainAdapter.convention)}
    assert "gradients in inference" in names


class Declines(PlainAdapter):
    """Declines a format that it could do."""

    def supports(self, config: LayerConfig) -> str | None:
        return "no float64 here" if config.dtype == "float64" else None


def test_a_configuration_that_is_declined_is_tried_once_for_each_reason() -> None:
    found = tried(Declines(), ALL_CAPABILITIES)
    assert [(name, finding.measured) for name, finding in found.items()] == [
        ("what supports() declines (no float64 here)", "works")
    ]


def test_a_process_that_ends_in_an_attempt_takes_nothing_that_was_found_with_it() -> None:
    implementation = Implementation(name="Exits", target="tests.support.hostile:Exits", capabilities=LESS)
    worker = Worker(implementation, 30.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        try:
            laboratory = Laboratory(worker.open, LESS, PlainAdapter.convention)
            (finding,) = EXPERIMENTS["undeclared capabilities"](laboratory)
        finally:
            worker.close()
    assert (finding.property, finding.measured) == ("masks", "works")  # its plain forward alone ends the process


class OddRows(PlainLayer):
    """Rounds in another direction where the batch has an odd number of rows."""

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        return np.nextafter(y, np.inf, dtype=y.dtype) if len(x) % 2 else y


@pytest.mark.parametrize(
    ("base", "measured"),
    [(PlainLayer, "the same bits in any batch"), (OddRows, "bits depend on the batch")],
)
def test_whether_the_bits_of_a_row_depend_on_other_rows_is_observed(base: type[PlainLayer], measured: str) -> None:
    (finding,) = findings("inference row by row", PlainAdapter(base=base)).values()
    assert (finding.measured, finding.status) == (measured, Status.OBSERVED)
    assert ("units in the last place" in finding.detail) == (base is OddRows)
