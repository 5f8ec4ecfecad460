"""The condition of a batch against the definition itself: errors are put into x, and y is computed with 60 digits."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest

from bn_reference.bounds.condition import Condition

DIGITS = 60
SIZES = ((2, 0.0), (5, 1.0), (17, -3.0), (64, 30.0), (33, 1e4))


def data(count: int, mean: float, seed: int = 0) -> Any:
    return mean + np.random.default_rng(seed).normal(size=count) * np.array([0.5, 2.0])[:, None]


def deviation_of(row: Any, eps: float) -> Any:
    mean = mpmath.fsum(row) / len(row)
    return mean, mpmath.sqrt(mpmath.fsum((value - mean) ** 2 for value in row) / len(row) + eps)


def y_of(row: Any, counted: Any, gamma: float, eps: float) -> Any:
    """y of one channel by the definition, in mpmath."""
    mean, deviation = deviation_of([value for value, counts in zip(row, counted, strict=True) if counts], eps)
    return [gamma * (value - mean) / deviation for value in row]


def condition(x: Any, mask: Any, gamma: Any, eps: float, training: bool = True) -> Condition:
    """The condition, from statistics with 60 digits."""
    rows = [[mpmath.mpf(float(value)) for value in row] for row in x]
    counted = np.ones(x.shape[1], bool) if mask is None else mask
    stats = [deviation_of(list(np.array(row, object)[counted]), eps) for row in rows]
    normalised = [[float((v - m) / s) for v in row] for row, (m, s) in zip(rows, stats, strict=True)]
    deviation = np.array([float(s) for _, s in stats])
    return Condition(
        size=np.abs(x),
        normalised=np.array(normalised),
        deviation=deviation,
        gamma=np.abs(gamma),
        training=training,
        mask=mask,
    )


def changed(x: Any, errors: Any, counted: Any, gamma: Any, eps: float) -> Any:
    """|y(x + errors) - y(x)|."""
    rows = []
    for row, moved, scale in zip(x, errors, gamma, strict=True):
        before = y_of([mpmath.mpf(float(v)) for v in row], counted, float(scale), eps)
        after = y_of([mpmath.mpf(float(v)) + d for v, d in zip(row, moved, strict=True)], counted, float(scale), eps)
        rows.append([float(abs(a - b)) for a, b in zip(after, before, strict=True)])
    return np.array(rows)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("count", "mean"), SIZES)
def test_the_largest_error_is_reached_by_the_signs_of_the_derivative(count: int, mean: float, masked: bool) -> None:
    x, gamma, eps, error = data(count, mean), np.array([1.5, -0.25]), 1e-3, 1e-15
    mask = np.arange(count) % 3 != 1 if masked else None
    counted = np.ones(count, bool) if mask is None else mask
    found = condition(x, mask, gamma, eps)
    n = counted.sum()
    with mpmath.workdps(DIGITS):
        for i in {0, 1, count // 2, count - 1}:
            h = found.normalised
            derivative = -counted.astype(float) * (1 + h * h[:, [i]]) / n
            derivative[:, i] += 1
            errors = error * np.abs(x) * np.sign(derivative)
            reached = changed(x, errors, counted, gamma, eps)[:, i]
            np.testing.assert_allclose(reached, error * found.largest[:, i], rtol=1e-5)
            assert (reached <= found.most(error)[:, i] * (1 + 1e-9)).all()


@pytest.mark.parametrize("error", [1e-6, 1e-3, 0.05, 0.9])
@pytest.mark.parametrize(("count", "mean"), SIZES)
def test_no_error_changes_y_by_more_than_the_most(count: int, mean: float, error: float) -> None:
    x, gamma, eps = data(count, mean, 1), np.array([1.0, 3.0]), 1e-5
    found, rng = condition(x, None, gamma, eps), np.random.default_rng(2)
    with mpmath.workdps(DIGITS):
        for draw in range(6):
            factors = rng.choice([-1.0, 1.0], x.shape) if draw % 2 else rng.uniform(-1, 1, x.shape)
            moved = changed(x, error * np.abs(x) * factors, np.ones(count, bool), gamma, eps)
            assert (moved <= found.most(error) * (1 + 1e-9)).all()


def test_the_typical_error_is_the_root_mean_square_of_independent_errors() -> None:
    x, gamma, eps, error = data(12, 3.0), np.array([1.0, 2.0]), 1e-3, 1e-15
    found = condition(x, None, gamma, eps)
    squares = np.zeros(x.shape)
    with mpmath.workdps(DIGITS):
        for j in range(12):  # independent errors add up in squares, so one value is moved at a time
            errors = np.zeros(x.shape)
            errors[:, j] = error * np.abs(x[:, j])
            squares += changed(x, errors, np.ones(12, bool), gamma, eps) ** 2
    np.testing.assert_allclose(np.sqrt(squares), error * found.typical, rtol=1e-5)


def test_a_difference_that_an_error_made_needs_no_more_than_that_error() -> None:
    x, gamma, eps, error = data(40, 20.0), np.ones(2), 1e-3, 1e-10
    found, rng = condition(x, None, gamma, eps), np.random.default_rng(5)
    with mpmath.workdps(DIGITS):
        made = changed(x, error * np.abs(x) * rng.uniform(-1, 1, x.shape), np.ones(40, bool), gamma, eps)
    needed = found.explaining(made, 0.0)
    assert (needed <= error * (1 + 1e-4)).all()
    assert (needed > error / 50).all()
    assert (found.explaining(made, made) == 0).all()


def test_inference_scales_the_error_and_no_more() -> None:
    x, gamma = data(9, 2.0), np.array([2.0, 0.5])
    found = condition(x, None, gamma, 1e-3, training=False)
    np.testing.assert_allclose(found.most(1e-3), 1e-3 * (gamma / found.deviation)[:, None] * np.abs(x))
    assert (found.shift(0.5) == 0).all()


def test_one_value_per_channel_is_beta_whatever_x_is() -> None:
    found = condition(np.array([[3.0], [5.0]]), None, np.ones(2), 1e-3)
    assert (found.largest == 0).all()
    assert (found.most(0.5) == 0).all()
