"""Cases of a layer that lacks gradients, statistics or a mode: what still makes sense of them is asked."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.good_numpy import GoodLayer, GoodNumpy
from tests.support.judge_layers import failing, judge_all, lines

from bn_conformance.adapter import Array, Capabilities, Convention, Gradients, LayerConfig, RunningStatistics
from bn_conformance.cases.as_declared import as_declared
from bn_conformance.cases.model import STATISTICS, Case
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases
from bn_conformance.judging.goldens import Goldens

FORWARD_ONLY = Capabilities(gradients=frozenset())
TRAINING_ONLY = Capabilities(modes=frozenset({"training"}), statistics=False, set_statistics=False)


WITHOUT_PARAMETERS = Capabilities(affine=frozenset({"none"}))
SCALING = Capabilities(affine=frozenset({"gamma"}))


class WithoutBackward(GoodLayer):
    def backward(self, dy: Array) -> Gradients:
        raise NotImplementedError


class WithoutStatistics(GoodLayer):
    def running_statistics(self) -> RunningStatistics:
        nothing = np.full(self.config.num_channels, np.nan, np.float32)
        return RunningStatistics(nothing, nothing)


class Lacking(GoodNumpy):
    layer: type[GoodLayer] = WithoutBackward

    def build(self, config: LayerConfig) -> GoodLayer:
        return self.layer(config)


class WithoutParameters(GoodNumpy):
    capabilities = WITHOUT_PARAMETERS


def asked(can: Capabilities, *families: str) -> list[Case]:
    return [
        as_declared(case, can, Convention())
        for case in all_cases().values()
        if case.family in families and not case.sweep and unsupported_reason(case, can) is None
    ]


@pytest.mark.parametrize("families", [("FWD", "EVAL"), ("EDGE", "STATE"), ("STAT", "PURE")])
def test_the_forward_of_a_case_is_judged_where_there_is_no_gradient(families: tuple[str, ...]) -> None:
    cases = asked(FORWARD_ONLY, *families)
    assert not any(batch.dy is not None for case in cases for batch in case.batches)
    items = judge_all(Lacking(), cases)
    assert not failing(items), lines(failing(items))
    assert sum(item.outcome in ("exact", "tight") for item in items) > 30


def test_a_layer_without_gradients_changes_no_golden_of_the_next_implementation() -> None:
    whole, shared = all_cases()["pure/nc/float32/interrupted"], Goldens()
    forward = as_declared(whole, FORWARD_ONLY, Convention())
    assert shared.data(forward).batches[0].dy is None
    assert "dx" not in (shared.steps(forward, Convention())[0].training or {})
    assert shared.data(whole).batches[0].dy is not None
    assert "dx" in (shared.steps(whole, Convention())[0].training or {})


def test_a_case_about_the_gradient_is_left_out() -> None:
    assert not asked(FORWARD_ONLY, "GRAD")
    assert unsupported_reason(all_cases()["grad/nc/float32/random"], FORWARD_ONLY) == (
        "gradients in training are not declared"
    )


def test_statistics_that_do_not_exist_are_not_judged() -> None:
    adapter = Lacking()
    adapter.layer = WithoutStatistics
    cases = asked(TRAINING_ONLY, "FWD", "GRAD", "EDGE", "PURE", "STATE")
    assert not any(case.judges & STATISTICS for case in cases)
    items = judge_all(adapter, cases)
    assert not failing(items), lines(failing(items))
    assert {item.case.partition("/")[0] for item in items} >= {"fwd", "grad", "edge", "pure"}


def test_a_layer_that_has_everything_is_asked_the_case_itself() -> None:
    for case in all_cases().values():
        assert as_declared(case, Capabilities(), Convention()) is case


@pytest.mark.slow
def test_a_layer_without_gamma_and_beta_is_judged_in_what_is_not_about_them() -> None:
    cases = asked(
        WITHOUT_PARAMETERS, "FWD", "EVAL", "GRAD", "EDGE", "STATE", "STAT", "NUM", "PURE", "LAW", "LAYOUT", "ERR"
    )
    assert not any(case.config.gamma or case.config.beta for case in cases)
    assert not {"FWD-3", "GRAD-2", "GRAD-3"} & {case.clauses[0] for case in cases}
    items = judge_all(WithoutParameters(), cases)
    assert not failing(items), lines(failing(items))
    assert sum(item.outcome in ("exact", "tight") for item in items) > 250


def test_a_layer_that_scales_alone_keeps_its_gamma() -> None:
    case = as_declared(all_cases()["grad/nc/float32/random"], SCALING, Convention())
    assert (case.config.gamma, case.config.beta) == (True, False)


def test_a_parameter_is_neither_added_nor_left_out_where_a_layer_may_have_it() -> None:
    plain = next(case for case in all_cases().values() if not case.config.gamma and not case.config.beta)
    assert as_declared(plain, SCALING, Convention()) == plain
    assert unsupported_reason(plain, SCALING) is not None
    scaled = next(case for case in all_cases().values() if case.config.gamma and not case.config.beta)
    assert as_declared(scaled, Capabilities(), Convention()) == scaled
