"""Sequences where what a layer held, and not the golden, says what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from tests.support.good_numpy import GoodLayer
from tests.support.judge_layers import adapter_of, judge_all
from tests.support.sequences import sequence

from bn_conformance.adapter import Array, SecondOrder
from bn_conformance.cases.model import Freeze, Reload
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.cases.tensors import data_of
from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.build import evaluate, normal, train
from bn_conformance.catalogue.places import F16, NC, Place
from bn_conformance.hosting.local import LocalHost
from bn_conformance.observing.observe import observe

SMALL = Place("nc", (2, 3), 1, F16)
HUGE = train(SMALL, DataRecipe(kind="mixed-scales", seed=3))


OVERFLOW = sequence(SMALL, HUGE, train(SMALL, normal("x")), evaluate(SMALL), config={"momentum": 1.0})
"""The variance of the first batch is beyond float16, and momentum 1 forgets it: 0 times infinity is NaN."""


class NeverOverflows(GoodLayer):
    """Statistics that are cut to the largest number."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        super().move(mean, np.minimum(variance, 1e4), count)


def test_statistics_that_overflowed_are_followed_from_what_was_kept() -> None:
    with np.errstate(all="ignore"):
        (item,) = judge_all(adapter_of(GoodLayer), [OVERFLOW])
    assert item.verdict in {"pass", "warn"}, item.message


def test_statistics_that_were_cut_are_wrong_all_the_same() -> None:
    with np.errstate(all="ignore"):
        (item,) = judge_all(adapter_of(NeverOverflows), [OVERFLOW])
    assert item.verdict == "fail"


class StaysFrozen(GoodLayer):
    """Saves that it is frozen."""

    def state(self) -> Mapping[str, Array]:
        return {**super().state(), "frozen": np.array(self.frozen)}

    def load_state(self, state: Mapping[str, Array]) -> None:
        super().load_state(state)
        self.frozen = bool(state["frozen"])


FROZEN = sequence(NC, train(NC), Freeze(), train(NC, normal("next")), Reload(), train(NC, normal("other")))


@pytest.mark.parametrize(("layer", "passes"), [(GoodLayer, True), (StaysFrozen, False)])
def test_being_frozen_is_not_saved(layer: type[GoodLayer], passes: bool) -> None:
    (item,) = judge_all(adapter_of(layer), [FROZEN])
    assert (item.verdict == "pass") is passes, item.message


class ReadsXAgain(GoodLayer):
    """Keeps the x of its forward, as it may, and computes from it whenever it is asked."""

    def forward(self, x: Array, training: bool) -> Array:
        self.given = x
        return super().forward(x, training)

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        assert self.latest is not None
        self.latest = (self._rows(self.given), *self.latest[1:])
        return super().double_backward(dy, v_dx, v_dgamma, v_dbeta)


class KeepsItsSecondGradients(GoodLayer):
    """Gives the arrays that it gave before where it is asked the same, though they are the caller's since."""

    last: tuple[bytes, SecondOrder] | None = None

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        if self.last is None or self.last[0] != v_dx.tobytes():
            self.last = v_dx.tobytes(), super().double_backward(dy, v_dx, v_dgamma, v_dbeta)
        return self.last[1]


@pytest.mark.parametrize(("layer", "passes"), [(ReadsXAgain, True), (KeepsItsSecondGradients, False)])
def test_callers_write_over_their_arrays_after_the_second_backward(layer: type[GoodLayer], passes: bool) -> None:
    case = all_cases()["second/nchw/float32/random"]
    steps = tuple(step for step in case.steps for _ in range(2))
    (item,) = judge_all(adapter_of(layer), [replace(case, id="second-twice", steps=steps, overwrites=True)])
    assert (item.verdict == "pass") is passes, item.message


class RefusesTheThird(GoodLayer):
    """Raises in its third forward."""

    def forward(self, x: Array, training: bool) -> Array:
        if self.steps == 2:
            raise ValueError("three is too many")
        return super().forward(x, training)


def test_what_was_seen_before_an_error_is_kept_with_the_step_that_raised() -> None:
    host = LocalHost(adapter_of(RefusesTheThird))
    case = sequence(NC, *(train(NC, normal(f"batch {index}")) for index in range(5)))
    observation = observe(case, data_of(case), host, explicit_update=False)
    assert (str(observation.error), observation.error_step) == ("forward raised ValueError: three is too many", 2)
    assert len(observation.steps) == 2
    assert all(step.after is not None for step in observation.steps)
