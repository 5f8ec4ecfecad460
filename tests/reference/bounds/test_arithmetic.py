"""Bounds in float64: those of binary128 but for their last digits, and binary128 where float64 has not the range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.support.judge_samples import expected_of
from tests.support.samples.random_samples import random_sample
from tests.support.samples.sample import FORMAT_NAMES, Sample
from tests.support.second_order_algorithms import SecondSample, second_sample

from bn_reference.arithmetic.quad import QUAD, to_quad
from bn_reference.bounds.arithmetic import FLOAT64, LARGEST, SECOND_ORDER, SMALLEST, arithmetic_for
from bn_reference.bounds.bound import Bound
from bn_reference.golden import golden as golden_module
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import GRADES

ROUNDED = 2.0**-45
"""What float64 makes of a bound at most."""


def apart(sample: Sample | SecondSample, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Bound, Bound]]:
    """Each bound of a sample as it is evaluated, and in binary128."""
    near = _goldens(sample)
    with monkeypatch.context() as patched:
        patched.setattr(golden_module, "arithmetic_for", lambda *given, within=(): QUAD)
        wide = _goldens(sample)
        for name, expected in wide.items():
            for grade in GRADES:
                bounds = near[name].bound(grade), expected.bound(grade)
                assert bounds[1].allowed.dtype == QUAD
                yield f"{name} {grade}", *bounds


def _goldens(sample: Sample | SecondSample) -> Mapping[str, Expected]:
    """Those of the first order, or those of the second in training and in inference."""
    if isinstance(sample, Sample):
        return expected_of(sample)
    both = ((mode, sample.expected(mode == "inference")) for mode in ("training", "inference"))
    return {f"{name} in {mode}": expected for mode, goldens in both for name, expected in goldens.items()}


def assert_alike(name: str, near: Bound, wide: Bound) -> None:
    """A bound in float64 is that in binary128, but for its last digits."""
    judged = (
        wide.meaningful if wide.allowed.ndim == 1 else np.broadcast_to(wide.meaningful[:, None], wide.allowed.shape)
    )
    np.testing.assert_array_equal(near.meaningful, wide.meaningful, name)
    with np.errstate(invalid="ignore"):
        close = np.abs(to_quad(near.allowed) - wide.allowed) <= ROUNDED * wide.allowed
    assert bool(np.all(close | ~judged | ~np.isfinite(wide.allowed))), name


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("dtype", FORMAT_NAMES)
@pytest.mark.parametrize("scale", [1.0, 2.0**-60, 2.0**-100, 2.0**60, 2.0**100])
def test_bounds_in_float64_are_those_of_binary128(
    dtype: str, seed: int, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    if dtype == "float16" and scale != 1.0:
        return
    sample = random_sample(seed, dtype, largest_count=300)
    sample = replace(sample, x=(np.asarray(sample.x, np.float64) * scale).astype(sample.x.dtype))
    for name, near, wide in apart(sample, monkeypatch):
        assert_alike(name, near, wide)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("dtype", FORMAT_NAMES)
@pytest.mark.parametrize("scale", [1.0, 2.0**-50, 2.0**50])
def test_bounds_of_the_second_order_in_float64_are_those_of_binary128(
    dtype: str, seed: int, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    if dtype == "float16" and scale != 1.0:
        return
    sample = second_sample(seed, dtype)
    base = sample.base
    x, dy = (np.asarray(part, np.float64) * scale for part in (base.x, base.dy))
    scaled = replace(base, x=x.astype(base.x.dtype), dy=dy.astype(base.dy.dtype))
    dtypes = set()
    for name, near, wide in apart(replace(sample, base=scaled), monkeypatch):
        dtypes.add(near.allowed.dtype)
        assert_alike(name, near, wide)
    assert FLOAT64 in dtypes or scale != 1.0


@pytest.mark.parametrize("value", [SMALLEST / 2, LARGEST * 2, 1e300, 1e-300, 5e-324])
def test_numbers_beyond_the_range_take_binary128(value: float) -> None:
    assert arithmetic_for(to_quad([[1.0, 0.0]]), None, to_quad([SMALLEST, -LARGEST])) == FLOAT64
    assert arithmetic_for(to_quad([[1.0, 0.0]]), None, to_quad([-value])) == QUAD
    assert arithmetic_for(to_quad(SECOND_ORDER), within=SECOND_ORDER) == FLOAT64
    assert arithmetic_for(to_quad([-value]), within=SECOND_ORDER) == QUAD


def test_numbers_that_are_not_finite_decide_nothing() -> None:
    spoilt = to_quad([1.0, np.nan, np.inf, -np.inf, -0.0, LARGEST])
    assert arithmetic_for(spoilt, None, to_quad(np.nan)) == FLOAT64
    assert arithmetic_for(spoilt.astype(np.float64)) == FLOAT64
    assert arithmetic_for(spoilt, to_quad(2 * LARGEST)) == QUAD


@pytest.mark.parametrize("exponent", [-3000.0, 3000.0])
def test_what_float64_rounds_to_zero_or_infinity_takes_binary128(exponent: float) -> None:
    assert arithmetic_for(np.power(to_quad([2.0]), to_quad(exponent))) == QUAD


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["x", "dy", "gamma", "beta", "running_mean", "running_variance"])
def test_bounds_of_numbers_that_are_not_finite_are_those_of_binary128(
    name: str, value: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed, dtype in enumerate(FORMAT_NAMES):
        sample = random_sample(seed, dtype, count=12, offset=1.0, scale=1.0, eps=2.0**-10, kinds=("normal",))
        spoilt: dict[str, Any] = {name: np.array(getattr(sample, name))}
        spoilt[name].flat[1] = value
        for quantity, near, wide in apart(replace(sample, **spoilt), monkeypatch):
            assert near.allowed.dtype == FLOAT64
            assert_alike(quantity, near, wide)
            assert_same_kinds(quantity, near.allowed, wide.allowed)


def assert_same_kinds(name: str, near: Any, wide: Any) -> None:
    """Both are finite, NaN or infinite in the same places."""
    wide = np.broadcast_to(wide, near.shape)
    np.testing.assert_array_equal(np.isnan(near), np.isnan(wide), name)
    np.testing.assert_array_equal(np.isinf(near), np.isinf(wide), name)


def test_of_what_goes_into_a_bound_everything_counts() -> None:
    sample = random_sample(4, "float64", count=12, offset=1.0, scale=1.0, kinds=("normal",))
    assert {expected.bound(GRADES[0]).allowed.dtype for expected in expected_of(sample).values()} == {FLOAT64}
    for name in ("x", "dy", "gamma", "running_mean"):
        spoilt: dict[str, Any] = {name: np.array(getattr(sample, name))}
        spoilt[name].flat[0] = 1e200
        dtypes = {
            key: expected.bound(GRADES[0]).allowed.dtype
            for key, expected in expected_of(replace(sample, **spoilt)).items()
        }
        assert dtypes[{"dy": "dx", "running_mean": "running_mean"}.get(name, "y")] == QUAD, name


@pytest.mark.parametrize("name", ["x", "dy", "gamma", "v_dx", "v_dgamma", "v_dbeta", "running_mean"])
def test_of_what_goes_into_a_bound_of_the_second_order_everything_counts(name: str) -> None:
    sample = second_sample(4, "float64", count=12, offset=1.0, scale=1.0, kinds=("normal",))
    assert _dtype(sample) == FLOAT64
    holder: Any = sample if name.startswith("v_") else sample.base
    spoilt = np.array(getattr(holder, name))
    spoilt.flat[0] = 2.0**65
    changed = replace(holder, **{name: spoilt})
    assert _dtype(changed if isinstance(changed, SecondSample) else replace(sample, base=changed)) == QUAD


def _dtype(sample: SecondSample) -> Any:
    """That of the bounds in inference, which uses all numbers."""
    (dtype,) = {expected.bound(GRADES[0]).allowed.dtype for expected in sample.expected(inference=True).values()}
    return dtype
