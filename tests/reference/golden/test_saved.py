"""Goldens of saved statistics against 40 digits, and their bounds: right algorithms inside, a unit of eps outside."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt

import numpy as np
import pytest

from bn_reference.arithmetic.quad import to_float64, to_quad
from bn_reference.definition.state import GammaBeta
from bn_reference.golden.golden import Golden
from bn_reference.golden.saved import saved_statistics
from bn_reference.specification.config import LayerConfig
from bn_reference.specification.convention import Convention
from bn_reference.specification.grades import STABLE, TIGHT

EPS = 2.0**-10


def golden_of(x: np.ndarray) -> Golden:
    config = LayerConfig(num_channels=x.shape[0], rank=2, eps=EPS)
    return Golden(config, Convention(), to_quad(x.astype(np.float64)), GammaBeta(None, None))


def test_they_are_the_mean_and_the_inverse_deviation() -> None:
    x = np.array([[1.0, 2.0, 4.0, 9.0]])
    expected = saved_statistics(golden_of(x))
    values = [Fraction(value) for value in x[0]]
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / len(values)
    assert to_float64(expected["saved_mean"].values)[0] == float(mean)
    assert to_float64(expected["saved_invstd"].values)[0] == pytest.approx(
        1 / sqrt(variance + Fraction(EPS)), rel=1e-15
    )


@pytest.mark.parametrize("offset", [0.0, 30.0, 1000.0])
@pytest.mark.parametrize("count", [2, 7, 100, 4096])
def test_two_passes_and_welford_in_float32_lie_within_tight(offset: float, count: int) -> None:
    x = np.random.default_rng(count).normal(offset, 1.0, (50, count)).astype(np.float32)
    expected = saved_statistics(golden_of(x))
    for mean, variance in (two_passes(x), welford(x)):
        inverse = np.float32(1) / np.sqrt(variance + np.float32(EPS))
        for name, got in (("saved_mean", mean), ("saved_invstd", inverse)):
            allowed, meaningful = expected[name].bound(TIGHT)
            error = np.abs(to_quad(got.astype(np.float64)) - expected[name].values)
            assert np.all(error[meaningful] <= allowed[meaningful]), name
            assert meaningful.all()


def test_the_bound_is_narrow() -> None:
    x = np.random.default_rng(1).normal(0.5, 1.0, (5, 40)).astype(np.float32)
    expected = saved_statistics(golden_of(x))["saved_invstd"]
    assert np.all(expected.bound(STABLE).allowed < 3e-5 * expected.values)


def two_passes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = x.mean(axis=1)
    return mean, ((x - mean[:, None]) ** 2).mean(axis=1)


def welford(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean: np.ndarray = np.zeros(x.shape[0], np.float32)
    squares: np.ndarray = np.zeros(x.shape[0], np.float32)
    for index in range(x.shape[1]):
        step = x[:, index] - mean
        mean = mean + step / np.float32(index + 1)
        squares = squares + step * (x[:, index] - mean)
    return mean, squares / np.float32(x.shape[1])
