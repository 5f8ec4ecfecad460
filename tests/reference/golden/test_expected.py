"""A golden and what is asked of it: where it is finite, and what it is rounded to."""

from __future__ import annotations

import numpy as np
import pytest

from bn_reference.arithmetic.quad import to_quad
from bn_reference.bounds.bound import Bound
from bn_reference.golden.expected import Expected


@pytest.mark.parametrize("repeats", [1, 200])
def test_a_golden_beyond_float64_is_finite(repeats: int) -> None:
    values = np.tile(np.stack([np.power(to_quad(2.0), to_quad(3000.0)), *to_quad([np.inf, np.nan, -1.0])]), repeats)
    expected = Expected(values, lambda _: Bound(np.zeros(values.shape), np.ones(values.shape, np.bool_)))
    assert expected.finite.tolist() == [True, False, False, True] * repeats
    assert np.isinf(expected.rounded(np.dtype(np.float64))[0])
    assert bool(np.all(Expected(to_quad([1.0, -0.0]), expected.bound).finite))
