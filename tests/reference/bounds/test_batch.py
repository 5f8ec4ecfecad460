"""Bounds of one batch: they grow with the grade, are tight for exact statistics, and have power over mistakes."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from tests.support.figures import Figures
from tests.support.judge_samples import (
    GRADE_OF,
    expected_of,
    is_for,
    level,
    ratio,
)
from tests.support.samples.families import FAMILIES
from tests.support.samples.random_samples import random_sample, random_samples
from tests.support.samples.sample import Sample

from bn_conformance.algorithms.algorithm import ALGORITHMS
from bn_conformance.algorithms.outputs import outputs
from bn_reference.arithmetic.quad import quietly, to_float64
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import GRADES, STABLE, TIGHT, Grade


def test_bounds_of_finite_data_are_numbers_from_zero_up() -> None:
    families = ("scale-subnormal", "scale-near-overflow", "constant", "one-value", "offset-1e+08")
    extremes = chain.from_iterable(FAMILIES[family] for family in families)
    for sample in chain(random_samples(64, start=9000), extremes):
        for name, expected in expected_of(sample).items():
            finite = np.isfinite(expected.values)
            for grade in GRADES:
                allowed, meaningful = expected.bound(grade)
                assert not np.isnan(allowed[finite]).any(), f"{sample.name}: {name} at {grade.level}"
                assert np.all(allowed[finite] >= 0)
                rows = meaningful[:, None] & finite if finite.ndim == 2 else meaningful & finite
                assert np.isfinite(allowed[rows]).all()


def test_grades_allow_more_from_tight_to_stable_to_each_degraded_one() -> None:
    """The storage grades have C = 1 and count only where storing is narrower; sequential sums only at large counts."""
    for sample in random_samples(48, start=500):
        for name, expected in expected_of(sample).items():
            tight, stable = expected.bound(TIGHT).allowed, expected.bound(STABLE).allowed
            finite = np.isfinite(expected.values)
            assert np.all(tight[finite] <= stable[finite]), name
            for grade in GRADES:
                if grade.raw_moments or grade.sequential:
                    assert np.all(stable[finite] <= expected.bound(grade).allowed[finite]), (name, grade)


def pair_sample(dtype: str, channels: int = 64, middle: float = 0.0) -> Sample:
    """m - s and m + s: mean and variance are exact, and every channel has a root of its own."""
    spread = 0.25 * (np.arange(channels) + 1.0)[:, None]
    base = random_sample(0, dtype, count=2, channels=channels, eps=2.0**-8, offset=0.0, scale=1.0, kinds=("normal",))
    x = middle + spread * np.array([[-1.0, 1.0]])
    return replace(base, name="pairs", x=x, exact_statistics=True)


@pytest.mark.parametrize("middle", [0.0, 2.0, 64.0])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_exact_statistics_leave_right_algorithms_their_few_roundings(
    dtype: str, middle: float, figures: Figures
) -> None:
    sample = pair_sample(dtype, middle=middle)
    expected, largest = expected_of(sample), 0.0
    for name, algorithm in ALGORITHMS.items():
        if not is_for(algorithm, sample) or algorithm.moments.__name__ == "welford":
            continue
        for quantity, got in outputs(algorithm, sample).items():
            share = ratio(expected[quantity], got, GRADE_OF[algorithm.grade])
            assert share <= 1.0, f"{name}: {quantity}"
            largest = max(largest, share if quantity == "y" and dtype in ("float32", "float64") else 0.0)
    figures(f"exact statistics, {dtype}, mean {middle:g}: y at most {largest:.2f} of the bound (C = 1)")


PATHS = ALGORITHMS["each path rounded"]


def small_in_float16(seed: int) -> Sample:
    """Values whose spread is as small as the eps, beside the subnormal numbers of float16, and dy gamma is such."""
    base = random_sample(
        seed, "float16", count=100, channels=3, eps=1e-8, offset=0.0, scale=1e-4, kinds=("normal", "constant", "normal")
    )
    dy = (base.dy / np.abs(base.dy).max() * 4e-3).astype(np.float16).astype(base.dy.dtype)
    gamma, none = (base.gamma * 2.0**-6).astype(np.float16).astype(base.gamma.dtype), np.zeros_like(base.gamma)
    return replace(base, dy=dy, gamma=gamma, running_variance=none)


@pytest.mark.parametrize("quantity", ["y", "dx", "dgamma", "inference_y"])
def test_storing_in_float16_does_not_void_the_bound_where_statistics_are_kept(quantity: str) -> None:
    """Half the spacing of its subnormals is 3e-8: in the variance of a constant channel it would void the bound."""
    expected = expected_of(small_in_float16(1))[quantity]
    assert expected.bound(TIGHT).meaningful.all()
    assert expected.bound(STABLE).meaningful.all()


@pytest.mark.parametrize("seed", range(8))
def test_paths_that_are_subnormal_in_float16_are_within_the_bound(seed: int) -> None:
    """dy gamma is subnormal there, and the reciprocal root of 1e4 multiplies its rounding."""
    sample = small_in_float16(seed)
    expected = expected_of(sample)
    for quantity, got in outputs(PATHS, sample).items():
        assert ratio(expected[quantity], got, STABLE) <= 1.0, quantity
        if (ranges := expected[quantity].range) is not None:
            low, high = ranges(STABLE)
            assert np.all((low <= got) & (got <= high)), quantity


def test_a_subnormal_dy_gamma_that_stands_alone_is_in_the_range_of_training() -> None:
    """It is 4e-8, which float16 rounds up to 6e-8."""
    base = small_in_float16(1)
    dy, gamma = np.zeros_like(base.dy), np.full_like(base.gamma, 2.0**-6)
    dy[:, 0] = np.float16(2.56e-6)
    sample = replace(base, dy=dy, gamma=gamma)
    expected, got = expected_of(sample)["dx"], outputs(PATHS, sample)["dx"]
    assert expected.range is not None
    low, high = expected.range(STABLE)
    assert np.all((low <= got) & (got <= high))


def test_a_subnormal_dy_gamma_is_within_the_bound_and_the_range_of_inference() -> None:
    sample = small_in_float16(1)
    inverse = 1.0 / np.sqrt(sample.running_variance + sample.eps)
    dx = (sample.dy * sample.gamma[:, None]).astype(np.float16).astype(np.float64) * inverse[:, None]
    expected, got = expected_of(sample)["inference_dx"], dx.astype(np.float16)
    assert ratio(expected, got, STABLE) <= 1.0
    assert expected.range is not None
    low, high = expected.range(STABLE)
    assert np.all(low <= got)
    assert np.all(got <= high)


@pytest.mark.parametrize("quantity", ["y", "inference_y", "inference_dx"])
@pytest.mark.parametrize(("dtype", "bits"), [("float32", 20), ("float64", 49), ("float64", 23)])
def test_exact_statistics_tell_a_reciprocal_root_that_lacks_bits(dtype: str, bits: int, quantity: str) -> None:
    sample = pair_sample(dtype)
    precision = {"float32": 24, "float64": 53}[dtype]
    coarse = replace(ALGORITHMS["two-pass, NumPy sums"], root_roundings=2.0 ** (precision - bits))
    assert level(quantity, expected_of(sample)[quantity], outputs(coarse, sample)[quantity]) == "wrong"


@quietly
def effect(expected: Expected, deviant: np.ndarray, grade: Grade) -> float:
    """Largest deviation / allowed."""
    allowed, _ = expected.bound(grade)
    return float(to_float64(np.asarray(np.max(np.abs(deviant.astype(allowed.dtype) - expected.values) / allowed))))


@pytest.mark.parametrize("count", [2, 8, 64, 100, 257])
def test_the_loosest_passing_grade_has_power_over_the_classic_mistakes(count: int, figures: Figures) -> None:
    """float32, eps = 1e-3 or more: each mistake stands far outside what `stable` allows."""
    powers: dict[str, float] = {}
    for seed, eps in enumerate((1e-3, 2.0**-6, 0.5)):
        sample = random_sample(seed, "float32", count=count, offset=0.5, scale=1.0, eps=eps, kinds=("normal",))
        sample = replace(sample, running_variance=np.ones(sample.channels))
        expected, x = expected_of(sample), sample.x
        mean, variance = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
        gamma, beta, dy = sample.gamma[:, None], sample.beta[:, None], sample.dy
        kept = float(np.float64(eps))
        inverse = 1 / np.sqrt(variance + kept)
        normalised = (x - mean) * inverse
        m1, m2 = dy.mean(axis=1, keepdims=True), (dy * normalised).mean(axis=1, keepdims=True)
        unbiased = variance * count / (count - 1)
        mistakes = {
            "eps missing": ("y", gamma * (x - mean) / np.sqrt(variance) + beta),
            "eps outside the root": ("y", gamma * (x - mean) / (np.sqrt(variance) + kept) + beta),
            "unbiased variance in y": ("y", gamma * (x - mean) / np.sqrt(unbiased + kept) + beta),
            "biased running variance": ("running_var", (0.75 * 1.0 + 0.25 * variance)[:, 0]),
            "dx without its mean term": ("dx", gamma * inverse * (dy - normalised * m2)),
            "dx without its variance term": ("dx", gamma * inverse * (dy - m1)),
        }
        for mistake, (name, deviant) in mistakes.items():
            powers[mistake] = min(powers.get(mistake, np.inf), effect(expected[name], deviant, STABLE))
    figures(f"n = {count:3d}: power " + ", ".join(f"{name} {power:.0f}" for name, power in powers.items()))
    assert min(powers.values()) >= 10.0, powers
