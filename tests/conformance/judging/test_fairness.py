"""Right layers of unusual conventions, and what is nobody's fault, pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.support.good_numpy import DEFAULT_EPS, EVERYTHING, GoodLayer
from tests.support.judge_layers import adapter_of, judge_all
from tests.support.sequences import sequence
from tests.support.single_precision import FoldedInSingle

from bn_conformance.adapter import Array, Convention, Gradients
from bn_conformance.cases.model import Case
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.build import evaluate, normal, train
from bn_conformance.catalogue.places import NC


class MovesInBackward(GoodLayer):
    """Running statistics move in backward, as in MXNet."""

    waiting: tuple[Array, Array, int] | None = None

    def forward(self, x: Array, training: bool) -> Array:
        self.waiting = None
        return super().forward(x, training)

    def move(self, mean: Array, variance: Array, count: int) -> None:
        self.waiting = mean, variance, count

    def backward(self, dy: Array) -> Gradients:
        if self.waiting is not None:
            super().move(*self.waiting)
            self.waiting = None
        return super().backward(dy)


class NeverMoves(MovesInBackward):
    """They wait for ever."""

    def backward(self, dy: Array) -> Gradients:
        self.waiting = None
        return super().backward(dy)


NETWORK = "state/nc-256x8/float32/two-layer-network"


@pytest.mark.parametrize(
    ("layer", "case", "verdict"),
    [
        (MovesInBackward, NETWORK, "pass"),
        (MovesInBackward, f"{NETWORK}-backward", "pass"),
        (NeverMoves, f"{NETWORK}-backward", "fail"),
    ],
)
def test_statistics_that_move_in_backward_wait_for_one(layer: type[GoodLayer], case: str, verdict: str) -> None:
    (item,) = judge_all(adapter_of(layer, Convention(statistics_move="backward")), [all_cases()[case]])
    assert item.verdict == verdict, item.message


def test_a_case_of_defaults_is_nothing_for_a_layer_without_them() -> None:
    convention = Convention(default_eps=None, default_momentum=None)
    cases = all_cases().values()
    without = [
        case for case in cases if (unsupported_reason(case, EVERYTHING, convention) or "").startswith("a default")
    ]
    assert {name for case in without for name in ("eps", "momentum") if getattr(case.config, name) is None} == {
        "eps",
        "momentum",
    }
    assert all(None in (case.config.eps, case.config.momentum) for case in without)
    for item in judge_all(adapter_of(GoodLayer, convention), without):
        assert (item.outcome, item.message.startswith("a default ")) == ("unsupported", True)
    assert DEFAULT_EPS


class KeepsOnMomentumZero(GoodLayer):
    """With momentum 0 nothing is computed at all."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        if self.momentum != 0:
            super().move(mean, variance, count)


class ZeroesOnMomentumZero(GoodLayer):
    """With momentum 0 a NaN is taken for 0."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        super().move(mean, variance, count)
        self.running_mean = np.nan_to_num(self.running_mean, nan=0.5)


def nan_case(momentum: float) -> Case:
    nan = DataRecipe(kind="special", seed=3)
    steps = (train(NC, normal("first")), train(NC, nan), evaluate(NC))
    return replace(sequence(NC, *steps, config={"momentum": momentum}), id=f"nan-{momentum}", nonfinite_alike=True)


@pytest.mark.parametrize(
    ("layer", "momentum", "verdict"),
    [
        (GoodLayer, 0.0, "pass"),
        (KeepsOnMomentumZero, 0.0, "pass"),
        (ZeroesOnMomentumZero, 0.0, "fail"),
        (GoodLayer, 0.5, "pass"),
        (ZeroesOnMomentumZero, 0.5, "fail"),
    ],
)
def test_nan_under_a_momentum_of_zero_may_be_kept_out(layer: type[GoodLayer], momentum: float, verdict: str) -> None:
    with np.errstate(all="ignore"):
        (item,) = judge_all(adapter_of(layer), [nan_case(momentum)])
    assert item.verdict == verdict, item.message


class Beta(FoldedInSingle):
    """y is beta in inference, whatever x is."""

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        return y if training else np.broadcast_to(self.beta[:, None, None], x.shape).copy()


@pytest.mark.parametrize(("layer", "outcome"), [(FoldedInSingle, "stable"), (Beta, "wrong")])
def test_folded_inference_far_from_zero_is_sound_and_its_bound_does_not_call_beta_right(
    layer: type[GoodLayer], outcome: str
) -> None:
    (item,) = judge_all(adapter_of(layer), [all_cases()["eval/nchw/float32/offset-1e+06"]])
    assert item.outcome == outcome
