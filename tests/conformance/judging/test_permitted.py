"""What a clause permits has a name and is not wrong: squares that overflow, and results that could be exact."""

from __future__ import annotations

import numpy as np
import pytest
from tests.support.good_numpy import GoodLayer
from tests.support.judge_layers import adapter_of, judge_all
from tests.support.single_precision import TwoPassInSingle

from bn_conformance.adapter import Array, Gradients
from bn_conformance.catalogue import all_cases

OVERFLOW, EXACT, LONG = (
    "num/nchw/float32/overflow-1e+25",
    "num/nc-2x8/float32/exact",
    "num/nc-5000x2/float32/exact-long-dbeta",
)


class Plausible(TwoPassInSingle):
    """y is finite, and neither right nor beta."""

    def forward(self, x: Array, training: bool) -> Array:
        return np.full_like(super().forward(x, training), 0.125)


class Turned(TwoPassInSingle):
    """y has its axes in another order."""

    def forward(self, x: Array, training: bool) -> Array:
        return np.ascontiguousarray(np.moveaxis(super().forward(x, training), 1, -1))


class OfOneAxis(TwoPassInSingle):
    """y has no axis of channels."""

    def forward(self, x: Array, training: bool) -> Array:
        return super().forward(x, training).ravel()


class OfWords(TwoPassInSingle):
    """y holds texts."""

    def forward(self, x: Array, training: bool) -> Array:
        return super().forward(x, training).astype(np.str_)


class ByAReciprocal(GoodLayer):
    """The last bit of y is off, as behind a reciprocal root."""

    def forward(self, x: Array, training: bool) -> Array:
        return np.nextafter(super().forward(x, training), np.float32(np.inf))


class LosesATerm(GoodLayer):
    """dbeta is off by one unit, which the bound of a long sum allows."""

    def backward(self, dy: Array) -> Gradients:
        gradients = super().backward(dy)
        assert gradients.dbeta is not None
        return gradients._replace(dbeta=gradients.dbeta + np.float32(1))


@pytest.mark.parametrize(
    ("layer", "case", "outcome", "verdict"),
    [
        (TwoPassInSingle, OVERFLOW, "degraded(overflow)", "pass"),
        (GoodLayer, OVERFLOW, "exact", "pass"),
        (Plausible, OVERFLOW, "wrong", "warn"),
        (Turned, OVERFLOW, "wrong", "warn"),
        (OfOneAxis, OVERFLOW, "wrong", "warn"),
        (OfWords, OVERFLOW, "wrong", "warn"),
        (GoodLayer, EXACT, "exact", "pass"),
        (ByAReciprocal, EXACT, "degraded(inexact)", "warn"),
        (Plausible, EXACT, "wrong", "warn"),
        (LosesATerm, LONG, "wrong", "warn"),
    ],
)
def test_it_is_named(layer: type[GoodLayer], case: str, outcome: str, verdict: str) -> None:
    with np.errstate(all="ignore"):
        (item,) = judge_all(adapter_of(layer), [all_cases()[case]])
    assert (item.outcome, item.verdict) == (outcome, verdict)
