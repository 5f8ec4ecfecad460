"""The values of a layer on their way: what is missing is filled in, what would be lost is refused."""

from __future__ import annotations

import numpy as np
import pytest

from bn_conformance.adapter import Array
from bn_conformance.convert.carrying import CarriedLayer, carried
from bn_conformance.convert.content import Content, Key
from bn_conformance.convert.layers import BETA, GAMMA, MEAN, UPDATES, VARIANCE, NormLayer
from bn_conformance.user_error import UserError

ALL = (GAMMA, BETA, MEAN, VARIANCE)


def vector(*values: float) -> Array:
    return np.array(values, np.float32)


def layer(gamma: Array | None = None, beta: Array | None = None, variance: Array | None = None) -> NormLayer:
    return NormLayer("bn", gamma, beta, vector(1, 2), vector(0.5, 4) if variance is None else variance, eps=1e-5)


def target(*roles: str, dtype: str = "float32") -> tuple[dict[str, Key], Content]:
    keys: dict[str, Key] = {role: ("bn", role) for role in roles}
    return keys, Content({key: np.zeros(2, dtype) for key in keys.values()})


def carry(source: NormLayer, *roles: str, dtype: str = "float32", eps: float = 1e-5) -> CarriedLayer:
    keys, held = target(*roles, dtype=dtype)
    return carried(source, "its", "name", keys, held, 1e-5, eps)


def test_what_the_source_lacks_is_what_it_computes_with() -> None:
    made = carry(layer(), *ALL)
    assert made.filled == (GAMMA, BETA)
    assert made.arrays[GAMMA].tolist() == [1, 1]
    assert made.arrays[BETA].tolist() == [0, 0]
    assert made.arrays[VARIANCE].tolist() == [0.5, 4]


def test_a_parameter_that_does_something_is_not_dropped() -> None:
    with pytest.raises(UserError, match=r"its has no gamma, and that of bn is up to 0\.5 away from 1"):
        carry(layer(gamma=vector(1, 1.5)), MEAN, VARIANCE)


def test_a_parameter_that_does_nothing_is_dropped() -> None:
    made = carry(layer(gamma=vector(1, 1), beta=vector(0, 0)), MEAN, VARIANCE)
    assert set(made.arrays) == {MEAN, VARIANCE}


def test_the_formats_of_the_target_are_kept_and_rounding_is_measured() -> None:
    made = carry(layer(variance=vector(0.1, 4)), MEAN, VARIANCE, dtype="float16")
    assert made.arrays[VARIANCE].dtype == np.float16
    exact = float(np.float32(0.1))
    assert made.rounding == abs(float(np.float16(np.float32(0.1))) - exact) / exact


def test_a_value_that_a_format_cannot_hold_is_refused() -> None:
    with pytest.raises(UserError, match="running_var of bn does not fit float16"):
        carry(layer(variance=vector(1, 1e6)), MEAN, VARIANCE, dtype="float16")


def test_another_eps_shifts_the_variance() -> None:
    made = carry(layer(), MEAN, VARIANCE, dtype="float64", eps=1e-3)
    assert made.arrays[VARIANCE].tolist() == [0.5 + (1e-5 - 1e-3), 4 + (1e-5 - 1e-3)]


def test_a_shift_below_zero_is_refused() -> None:
    with pytest.raises(UserError, match="leave out --target-eps"):
        carry(layer(variance=vector(0, 1)), MEAN, VARIANCE, eps=1e-3)


def test_a_counter_is_kept_where_the_source_has_none() -> None:
    assert UPDATES not in carry(layer(), MEAN, VARIANCE, UPDATES).arrays


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_values_without_meaning_are_carried_and_told_apart(value: float) -> None:
    made = carry(layer(variance=vector(1, value)), MEAN, VARIANCE)
    assert not made.sound
    assert np.array_equal(made.arrays[VARIANCE], vector(1, value), equal_nan=True)
