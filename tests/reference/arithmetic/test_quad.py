"""Rounding out of binary128: right in every format, whichever way it is done."""

from __future__ import annotations

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from bn_reference.arithmetic.formats import format_of
from bn_reference.arithmetic.quad import (
    QUAD,
    Quad,
    narrowed,
    nearest_float64,
    parts_of,
    round_to,
    rounded_on_bits,
    to_quad,
)

DTYPES = [np.dtype(dtype) for dtype in (np.float64, np.float32, np.float16, ml_dtypes.bfloat16)]


def near_ties(precision: int, span: int, seed: int) -> Quad:
    """Numbers of a precision, and others a hair beside them and beside the middle between two of them."""
    random, count = np.random.default_rng(seed), 400
    numbers = random.integers(2 ** (precision - 1), 2**precision, count) * 2.0 ** (1 - precision)
    exponents = random.integers(-span, span, count).astype(np.float64)
    scale = np.power(to_quad(2.0), to_quad(exponents)) * to_quad(random.choice([-1.0, 1.0], count))
    half, rounded = to_quad(2.0**-precision), []
    for shift in (0.0, 1.0, -1.0, 0.5):
        for hair in (0.0, 2.0**-20, -(2.0**-20), 2.0**-54, -(2.0**-54), 2.0**-58, -(2.0**-58)):
            rounded.append(scale * (to_quad(numbers) + half * to_quad(shift) * (to_quad(1.0) + to_quad(hair))))
            rounded.append(scale * (to_quad(numbers) + half * to_quad(shift + hair)))
    return np.concatenate(rounded)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("span", [3, 20, 140, 800])
def test_parts_are_rounded_as_bits_are(dtype: np.dtype[np.generic], span: int) -> None:
    for precision in (8, 11, 24, 53):
        values = near_ties(precision, span, precision + span)
        settled = 0
        for some in np.array_split(values, len(values) // 40):
            parts = parts_of(some)
            rounded = nearest_float64(some, parts) if dtype == np.float64 else narrowed(some, parts, dtype)
            bits = rounded_on_bits(some, dtype)
            settled += rounded is not None
            assert rounded is None or rounded.tobytes() == bits.tobytes()
            assert round_to(some, dtype).tobytes() == bits.tobytes()
        assert settled


def test_ties_go_to_even_and_a_hair_decides() -> None:
    tie, hair = to_quad(2.0**-53), to_quad(2.0**-110)
    values = to_quad(np.ones(4)) + np.stack([tie, tie + hair, tie - hair, 3 * tie])
    assert round_to(values, np.float64).tolist() == [1.0, 1.0 + 2.0**-52, 1.0, 1.0 + 2.0**-51]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_what_float64_does_not_hold_isrounded_on_bits(dtype: np.dtype[np.generic]) -> None:
    largest = format_of(dtype).largest
    tiny = np.power(to_quad(2.0), to_quad(-3000.0))
    wide = np.power(to_quad(2.0), to_quad(3000.0))
    values = np.stack([tiny, -tiny, wide, -wide, to_quad(np.nan), to_quad(np.inf), to_quad(largest), to_quad(-0.0)])
    rounded = round_to(values, dtype).astype(np.float64)
    assert rounded[[0, 1, 7]].tolist() == [0.0, 0.0, 0.0]
    assert np.signbit(rounded[[0, 1, 7]]).tolist() == [False, True, True]
    assert rounded[2:4].tolist() == [np.inf, -np.inf]
    assert np.isnan(rounded[4])
    assert rounded[5] == np.inf
    assert rounded[6] == largest


def test_parts_are_the_value_but_for_their_last_bits() -> None:
    values = near_ties(53, 20, 1)
    high, rest = parts_of(values)
    assert bool(np.all(np.abs(values - high - rest) <= np.abs(values) * to_quad(2.0**-105)))
    assert bool(np.all(np.abs(rest) <= np.spacing(np.abs(high))))


def test_numbers_of_a_narrower_format_are_rounded_as_they_are() -> None:
    values = np.array([0.1, 1 / 3, 65519.0])
    assert round_to(values, np.float16).tolist() == round_to(to_quad(values), np.float16).tolist()
    assert [Fraction(float(value)) for value in round_to(values, np.float64)] == [Fraction(v) for v in values.tolist()]
    assert to_quad(values).dtype == QUAD


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_zeros_keep_their_sign(dtype: np.dtype[np.generic]) -> None:
    rounded = round_to(to_quad(np.array([-0.0, 0.0, -1.0])), dtype).astype(np.float64)
    assert list(np.signbit(rounded)) == [True, False, True]
