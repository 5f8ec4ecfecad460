"""Casts on the words of binary128: exact, or as near as they say, whatever the bits are."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bn_reference.arithmetic.quad import QUAD, Quad, parts_of, to_quad
from bn_reference.arithmetic.words import SHORT, USUAL, both_words, near_float64, widened

LARGE = 2 * SHORT
"""A size whose casts are made on the words."""

FRACTION = 2**112 - 1


def quad_of(bits: list[int]) -> Quad:
    """Numbers of binary128 from all their 128 bits, repeated until the array is not short."""
    repeated = [bits[at % len(bits)] for at in range(max(LARGE, len(bits)))]
    values = np.empty(len(repeated), QUAD)
    low, high = both_words(values)
    low[...] = [number & (2**64 - 1) for number in repeated]
    high[...] = [number >> 64 for number in repeated]
    return values


def bits_of(sign: int, exponent: int, fraction: int) -> int:
    """The bits of (-1)**sign * 2**exponent * (1 + fraction / 2**112)."""
    return sign << 127 | (exponent + 16383) << 112 | fraction


def exact(bits: int) -> Fraction:
    """The number that bits stand for."""
    size = Fraction(2**112 + (bits & FRACTION), 2**112) * Fraction(2) ** ((bits >> 112 & 0x7FFF) - 16383)
    return -size if bits >> 127 else size


def assert_near(bits: list[int]) -> None:
    """The parts, and the cast alone, are as near as they say."""
    values = quad_of(bits)
    near, rest = parts_of(values)
    assert near.tobytes() == near_float64(values).tobytes()
    for number, first, second in zip(map(exact, bits), near.tolist(), rest.tolist(), strict=False):
        assert abs(Fraction(first) - number) <= Fraction(np.spacing(abs(first))) / 2
        assert abs(Fraction(first) + Fraction(second) - number) <= abs(number) / 2**106
        assert (first < 0) == (number < 0)


FRACTIONS = sorted(
    {
        min(max(kept + half + hair, 0), FRACTION)
        for kept in (0, 1 << 60, 5 << 60, FRACTION >> 60 << 60, 1 << 111)
        for half in (0, 1 << 59, (1 << 60) - 1, 1 << 63, 1 << 64)
        for hair in (-2, -1, 0, 1, 2, 1 << 6)
    }
)
"""Fractions that float64 has, ties between two, carries through all bits, and their neighbours."""


@pytest.mark.parametrize("exponent", [*range(*USUAL, 197), -1, 0, 1, USUAL[1] - 1])
def test_parts_are_near_at_ties_and_carries(exponent: int) -> None:
    assert_near([bits_of(sign, exponent, fraction) for sign in (0, 1) for fraction in FRACTIONS])


def test_parts_are_near_at_every_exponent_of_both_signs() -> None:
    for sign in (0, 1):
        assert_near([bits_of(sign, exponent, FRACTION ^ exponent % 7) for exponent in range(*USUAL)])


@given(
    st.lists(
        st.builds(bits_of, st.integers(0, 1), st.integers(USUAL[0], USUAL[1] - 1), st.integers(0, FRACTION)), min_size=1
    )
)
@settings(max_examples=100)
def test_parts_are_near_for_any_bits(bits: list[int]) -> None:
    assert_near(bits)


@given(st.lists(st.integers(0, 2**128 - 1), min_size=1, max_size=30))
@settings(max_examples=100)
def test_any_number_between_has_the_parts_that_it_has_alone(bits: list[int]) -> None:
    values = quad_of(bits)
    for number, near, rest in zip(values[: len(bits)], *parts_of(values), strict=False):
        alone = parts_of(np.asarray(number).reshape(1))
        usual = np.isfinite(near) and 2.0 ** USUAL[0] <= abs(near) <= 2.0 ** USUAL[1]
        if not usual:
            np.testing.assert_array_equal([near, rest], np.concatenate(alone))


SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, -5e-324, 2.0**-1022, 2.0**-1023, 1.7976931348623157e308, 1.0]


@pytest.mark.parametrize("size", [len(SPECIAL), LARGE, 20_000])
def test_numbers_of_float64_go_through_binary128_unchanged(size: int) -> None:
    random = np.random.default_rng(size)
    bits = random.integers(0, 2**64, size, np.uint64).view(np.float64)
    bits[: len(SPECIAL)] = SPECIAL
    with np.errstate(invalid="ignore"):
        quad = widened(bits)
        known = bits.astype(QUAD)
    np.testing.assert_array_equal(quad, known)
    np.testing.assert_array_equal(np.signbit(quad), np.signbit(known))
    np.testing.assert_array_equal(near_float64(quad), bits)
    near, rest = parts_of(quad)
    finite = np.isfinite(bits)
    np.testing.assert_array_equal(near, bits)
    assert not rest[finite].any()
    assert np.array_equal(np.signbit(near[finite]), np.signbit(bits[finite]))


@pytest.mark.parametrize("size", [3, LARGE])
def test_shapes_and_views_are_cast_as_they_are(size: int) -> None:
    rows = np.random.default_rng(1).standard_normal((4, size))
    for view in (rows, rows.T, rows[:, ::-1], rows[::2, 1:], rows[:0]):
        quad = to_quad(view)
        assert quad.shape == view.shape
        np.testing.assert_array_equal(near_float64(quad), view)
        assert near_float64(to_quad(rows).T).flags.c_contiguous
        np.testing.assert_array_equal(parts_of(to_quad(rows).T)[0], rows.T)
    assert to_quad(1.5).shape == ()
