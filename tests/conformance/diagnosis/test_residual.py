"""Residuals are ranked: nothing, then what is near, then what cannot be compared."""

from __future__ import annotations

import pytest

from bn_conformance.diagnosis.residual import NOTHING, Kind, Residual
from bn_conformance.diagnosis.tuning import TUNING


def test_every_kind_but_nothing_weighs_something() -> None:
    assert NOTHING.weight == 0.0
    assert all(Residual(kind).weight >= 1.0 for kind in Kind if kind is not Kind.NOTHING)


@pytest.mark.parametrize("kind", [Kind.NUMBER_TOO_FAR, Kind.NOT_NEARER])
def test_what_is_nearer_weighs_less_up_to_a_limit(kind: Kind) -> None:
    weights = [Residual(kind, factor).weight for factor in (1.0, 2.0, 50.0, TUNING.most_factor, float("inf"))]
    assert weights[:3] == sorted(set(weights[:3]))
    assert weights[3] == weights[4] <= TUNING.weight_without_numbers + 1.0


def test_an_error_that_one_raises_alone_outweighs_any_number() -> None:
    assert Residual(Kind.RAISED_DIFFERENTLY).weight > 1000 * Residual(Kind.NUMBER_TOO_FAR, float("inf")).weight


def test_a_residual_differs_from_another_by_its_weight() -> None:
    reference = Residual(Kind.NUMBER_TOO_FAR, 100.0)
    assert not Residual(Kind.NUMBER_TOO_FAR, 100.1).differs_from(reference)
    assert Residual(Kind.NUMBER_TOO_FAR, 101.0).differs_from(reference)
