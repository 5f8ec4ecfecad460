"""An error is a refusal only where the operation that raised had been given the input that may be refused."""

from __future__ import annotations

import pytest
from tests.support.good_numpy import GoodLayer, GoodNumpy
from tests.support.judge_layers import adapter_of, goldens

from bn_conformance.adapter import Array, Convention, Gradients, Layer, LayerConfig
from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.local import LocalHost
from bn_conformance.hosting.operations import OPERATIONS
from bn_conformance.judging.item import Policy, run_case
from bn_conformance.judging.refusal import may_refuse
from bn_conformance.results.outcomes import Threshold
from bn_conformance.results.records import Item

POLICY = Policy(Threshold.DEGRADED, {})


def run(layer: type[GoodLayer], case: str) -> Item:
    return judged(LocalHost(adapter_of(layer)), case)


def judged(host: LocalHost, case: str) -> Item:
    return run_case("x", all_cases()[case], host, Convention(), goldens(), POLICY)


class Unbuildable(GoodNumpy):
    name = "unbuildable"

    def build(self, config: LayerConfig) -> Layer:
        raise RuntimeError("this kernel is not compiled for your device")


class NoParameters(GoodLayer):
    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        raise KeyError("no weight of this name")


class NoStatistics(GoodLayer):
    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        raise AttributeError("read-only statistics")


class NoReading(GoodLayer):
    def running_statistics(self) -> None:  # type: ignore[override]
        raise AttributeError("statistics are private")


class NoForward(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        raise ValueError("x is refused")


class NoInference(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        if not training:
            raise ValueError("inference is refused")
        return super().forward(x, training) if x.size else x.copy()


class OddStatistics(GoodLayer):
    """A negative variance, and vectors of another length, are refused in the forward alone."""

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self.running_mean, self.running_var = mean.copy(), variance.copy()

    def forward(self, x: Array, training: bool) -> Array:
        if self.running_mean.shape != self.running_var.shape or (self.running_var < 0).any():
            raise ValueError("the running variance is none")
        return super().forward(x, training)


class NoBackward(GoodLayer):
    def backward(self, dy: Array) -> Gradients:
        raise ValueError("dy is refused")


REFUSABLE = [case for case in all_cases().values() if case.expects != "numbers"]
UNBUILT = [case for case in REFUSABLE if case.config.num_channels and case.config.eps != 0]


@pytest.mark.parametrize("case", UNBUILT, ids=lambda case: case.id)
def test_a_layer_that_cannot_be_built_refuses_nothing(case: Case) -> None:
    item = judged(LocalHost(Unbuildable()), case.id)
    assert (item.outcome, item.verdict) == ("errored", "fail" if POLICY.requirement(case) == "MUST" else "warn")
    said = "build raised RuntimeError: this kernel is not compiled for your device (test_refusal.py, line "
    assert item.message.startswith(said)
    assert "(an error here is no refusal" in item.message


EARLIER: dict[str, tuple[type[GoodLayer], str]] = {
    "parameters of a fresh layer": (NoParameters, "state/nc/float32/backward-after-load"),
    "statistics before an empty batch": (NoStatistics, "edge/nc-0x5/float32/empty-batch"),
    "reading statistics before one value": (NoReading, "edge/nc-1x5/float32/one-value"),
    "reading statistics before a wrong x": (NoReading, "err/nc/float32/channels-training"),
    "the forward before a state with a vector more": (NoForward, "err/nc/float32/state-extra"),
    "the forward before a wrong dy": (NoForward, "err/nchw/float32/dy-transposed"),
    "the forward before a change of parameters": (NoForward, "state/nchw/float32/backward-after-set-parameters"),
    "an ordinary batch after an empty one": (NoInference, "edge/nc-0x5/float32/empty-batch"),
    "one value in inference": (NoForward, "edge/nc-1x5/float32/one-value-inference"),
    "one pixel a channel in inference": (NoForward, "edge/nchw-1x3x1x1/float32/one-value-inference"),
    "inference of one entry after an empty batch": (NoInference, "edge/nhcw-0x5x3x5/float32/empty-batch"),
}


@pytest.mark.parametrize(("layer", "case"), EARLIER.values(), ids=EARLIER)
def test_an_error_elsewhere_is_no_refusal(layer: type[GoodLayer], case: str) -> None:
    item = run(layer, case)
    assert (item.outcome, item.verdict) == ("errored", "fail"), item


SEEN: dict[str, tuple[type[GoodLayer], str]] = {
    "the forward of an empty batch": (NoForward, "edge/nc-0x5/float32/empty-batch"),
    "the forward of an empty batch in inference": (NoForward, "edge/nc-0x5/float32/empty-batch-inference"),
    "the forward of one value": (NoForward, "edge/nc-1x5/float32/one-value"),
    "the backward of one value": (NoBackward, "edge/nchw-1x3x1x1/float32/one-value"),
    "the backward behind a load": (NoBackward, "state/nc/float32/backward-after-load"),
    "the backward behind a freeze": (NoBackward, "state/nchw/float32/backward-after-freeze"),
    "the backward of a wrong dy": (NoBackward, "err/nchw/float32/dy-transposed"),
    "statistics of another length, in the forward": (OddStatistics, "err/nc/float32/running-var-longer"),
    "a negative variance, in the forward": (OddStatistics, "eval/nc/float32/variance-negative"),
    "a negative variance": (NoStatistics, "eval/nc/float32/variance-negative"),
    "a wrong rank": (NoForward, "err/nhwc/float32/rank-inference"),
    "integers": (NoForward, "err/nc/float32/integers-training"),
}


@pytest.mark.parametrize(("layer", "case"), SEEN.values(), ids=SEEN)
def test_an_error_of_the_operation_that_was_given_the_input_is_a_refusal(layer: type[GoodLayer], case: str) -> None:
    item = run(layer, case)
    assert (item.outcome, item.verdict) == ("refused", "refused"), item


@pytest.mark.parametrize("case", ["edge/nc-8x0/float32/no-channels", "fwd/nc/float32/eps-0"])
def test_where_the_layer_itself_is_odd_it_may_be_refused_when_it_is_built(case: str) -> None:
    assert judged(LocalHost(Unbuildable()), case).outcome == "refused"


@pytest.mark.parametrize("case", REFUSABLE, ids=lambda case: case.id)
def test_every_case_that_admits_a_refusal_has_an_operation_that_may_refuse(case: Case) -> None:
    data = goldens().data(case)
    found = {name for step in range(-1, len(case.steps)) for name in OPERATIONS if may_refuse(case, data, step, name)}
    assert found & {"forward", "backward"}
    assert ("build" in found) == (case not in UNBUILT)


def test_a_batch_of_one_entry_with_space_may_not_be_refused() -> None:
    cases = [case.id for case in all_cases().values() if case.batches and case.batches[0].shape[:2] == (1, 3)]
    outcomes = {case: run(NoForward, case).outcome for case in cases if "/nchw-1x3x5x5/" in case}
    assert outcomes
    assert set(outcomes.values()) == {"errored"}, outcomes
