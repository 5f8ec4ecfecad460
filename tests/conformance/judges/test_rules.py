"""Each rule accepts what its tolerance allows, and nothing beyond."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bn_conformance.judges.rules import Compared, is_accepted
from bn_conformance.judges.suite import InputRecipe, SuiteStep, SuiteTrial
from bn_conformance.judges.trial import Drawn, StepResult

EXPECTED = np.array([[1.0, -2.0], [0.5, 4.0], [3.0, 0.25]], np.float32)


def accepts(rule: dict[str, Any], got: Any, expected: Any = EXPECTED, **more: Any) -> bool:
    trial = SuiteTrial(shape=expected.shape, x=InputRecipe(kind="normal"))
    here = StepResult(SuiteStep(), expected, expected, {"y": got})
    beta = np.zeros(2, np.float32)
    given: dict[str, Any] = {"before": [], "gamma": beta + 1, "beta": beta} | more
    return is_accepted(
        Compared(rule=rule, got=got, expected=expected, drawn=Drawn(trial, "float32", ""), here=here, **given)
    )


@pytest.mark.parametrize(
    ("rule", "factor"),
    [
        ({"kind": "close", "rtol": 1e-3, "atol": 0.0}, 1e-3),
        ({"kind": "relative", "limit": 1e-3}, 1e-3),
        ({"kind": "norms", "limit": 1e-3}, 1e-3),
    ],
)
def test_relative_rules(rule: dict[str, Any], factor: float) -> None:
    assert accepts(rule, EXPECTED * np.float32(1 + 0.9 * factor))
    assert not accepts(rule, EXPECTED * np.float32(1 + 1.1 * factor))


def test_an_absolute_tolerance_grows_with_the_values_a_channel() -> None:
    rule = {"kind": "close", "rtol": 0.0, "atol": 1e-2}
    off = EXPECTED + np.float32(0.025)
    assert not accepts(rule, off)
    assert accepts(rule | {"atol_times_n": True}, off)  # of 3 values


def test_units_in_the_last_place() -> None:
    one, two = np.nextafter(EXPECTED, np.float32(9)), np.nextafter(np.nextafter(EXPECTED, np.float32(9)), np.float32(9))
    assert accepts({"kind": "ulp", "ulp": 1}, one)
    assert not accepts({"kind": "ulp", "ulp": 1}, two)
    around_zero = np.array([[np.float32(1e-45)]]), np.array([[-np.float32(1e-45)]])
    assert accepts({"kind": "ulp", "ulp": 2}, *around_zero)
    assert not accepts({"kind": "ulp", "ulp": 1}, *around_zero)


def test_the_root_mean_square_over_the_largest() -> None:
    off = EXPECTED.copy()
    off[0, 0] += np.float32(0.1)  # RMS 0.0408 over 4
    assert accepts({"kind": "rms", "limit": 0.0103}, off)
    assert not accepts({"kind": "rms", "limit": 0.0101}, off)
    assert accepts({"kind": "rms", "limit": 0.0101, "times_elements": ["training"]}, off)


def test_moments() -> None:
    rows = np.array([[1.0, 1.0], [-1.0, -1.0]], np.float32)
    assert accepts({"kind": "moments", "atol": 1e-3}, rows, rows)
    assert not accepts({"kind": "moments", "atol": 1e-3}, rows * np.float32(1.01), rows)
    assert not accepts({"kind": "moments", "atol": 1e-3}, rows + np.float32(0.01), rows)


@pytest.mark.parametrize("kind", ["higham-y", "higham-dx", "higham-dgamma", "higham-dbeta"])
def test_derived_tolerances_allow_roundings_and_no_thousandth(kind: str) -> None:
    assert accepts({"kind": kind}, np.nextafter(EXPECTED, np.float32(0)))
    assert not accepts({"kind": kind}, EXPECTED * np.float32(1.001))


@pytest.mark.parametrize("kind", ["close", "ulp", "relative", "norms", "rms", "moments"])
def test_nothing_accepts_nan(kind: str) -> None:
    rule = {"kind": kind, "rtol": 1.0, "atol": 1.0, "limit": 1.0, "ulp": 9}
    assert not accepts(rule, np.full_like(EXPECTED, np.nan))


def test_another_shape_is_not_accepted_and_an_unknown_rule_is_an_error() -> None:
    assert not accepts({"kind": "close", "rtol": 1.0, "atol": 1.0}, EXPECTED[:2])
    with pytest.raises(ValueError, match="kind is 'guess'; allowed are close"):
        accepts({"kind": "guess"}, EXPECTED)
