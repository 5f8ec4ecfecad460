"""A small array that came before is known again; what it came to is told of no other."""

from __future__ import annotations

import numpy as np
import pytest

from bn_conformance.comparison.array import compare
from bn_conformance.comparison.usual import FEW
from bn_reference.arithmetic.quad import to_quad
from bn_reference.bounds.bound import Bound
from bn_reference.golden.expected import Expected


def expected_of(count: int) -> Expected:
    values = np.linspace(1.0, 2.0, 2 * count).reshape(2, count)
    return Expected(to_quad(values), lambda grade: Bound(np.full((2, count), 1e-6), np.ones(2, bool)))


def level(expected: Expected, error: float) -> str:
    got = (expected.rounded(np.dtype(np.float64)) + error).T
    return compare("y", expected, np.ascontiguousarray(got), channel_axis=1).level


def test_other_numbers_are_compared_anew() -> None:
    expected = expected_of(4)
    for _ in range(2):
        assert [level(expected, error) for error in (0.0, 5e-7, 1.0, 0.0)] == ["exact", "tight", "wrong", "exact"]


@pytest.mark.parametrize(("count", "kept"), [(4, 2), (FEW, 0)])
def test_small_arrays_alone_are_kept_each_once(count: int, kept: int) -> None:
    expected = expected_of(count)
    for error in (0.0, 5e-7, 5e-7):
        level(expected, error)
    assert len(expected.compared) == kept
