"""The judge in float64 says what it says in binary128: level, worst element, and ratio but for its last digits."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from bn_conformance.comparison.array import judge
from bn_reference.arithmetic.formats import format_of
from bn_reference.arithmetic.quad import Quad, round_to, to_quad
from bn_reference.bounds.bound import Bound
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import Grade

DTYPES = [np.dtype(dtype) for dtype in (np.float64, np.float32, np.float16, ml_dtypes.bfloat16)]


def judged(values: Quad, got: Any, allowed: Any) -> Any:
    def bound(grade: Grade) -> Bound:
        return Bound(allowed, np.ones(values.shape[0], np.bool_))

    quantity = judge("y", Expected(values, bound), got, 1, ("FWD-1",))
    return quantity.outcome, quantity.index, quantity.judged, quantity.ratio, quantity.error, quantity.excess


def near(random: np.random.Generator, dtype: np.dtype[Any]) -> tuple[Quad, Any]:
    """Goldens, some of them close to numbers of a format or to the middle between two, and what came next to them."""
    unit = format_of(dtype).unit_roundoff
    start = random.normal(size=(3, 8)).astype(dtype).astype(np.float64)
    hair = random.choice([0.0, 1.0, -1.0], start.shape) * random.choice(
        [2.0**-108, 2.0**-60, unit / 4, unit], start.shape
    )
    values = to_quad(start) * (to_quad(1.0) + to_quad(hair) + to_quad(random.choice([0.0, unit], start.shape)))
    got = round_to(values, dtype)
    moved = np.nextafter(got.astype(np.float32), np.float32(9.0)) if dtype.itemsize == 4 else got
    return values, np.ascontiguousarray(
        np.where(random.random(got.shape) < random.choice([0.0, 0.2]), moved, got).astype(dtype).T
    )


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_judge_in_float64_says_what_one_in_binary128_says(dtype: np.dtype[Any]) -> None:
    random, outcomes = np.random.default_rng(1), set()
    for _ in range(60):
        values, got = near(random, dtype)
        if random.random() < 0.2:
            got.flat[int(random.integers(got.size))] = random.choice([np.nan, np.inf, -np.inf, 0.0])
        allowed = (
            format_of(dtype).unit_roundoff * float(random.choice([0.1, 1.0, 3.0])) * (1.0 + random.random(values.shape))
        )
        in_double, in_quad = judged(values, got, allowed), judged(values, got, to_quad(allowed))
        assert in_double[:3] == in_quad[:3]
        for double_part, quad_part in zip(in_double[3:], in_quad[3:], strict=True):
            assert (double_part is None and quad_part is None) or double_part == pytest.approx(quad_part, rel=1e-14)
        outcomes.add(in_double[0])
    assert {"exact", "wrong"} <= outcomes


def test_an_infinity_next_to_overflow_is_right_in_either_arithmetic() -> None:
    largest = np.finfo(np.float32).max
    values, got = to_quad([[float(largest), 1.0]]), np.array([[np.inf], [1.0]], np.float32)
    for allowed, outcome in ((2.0**110, "tight"), (0.0, "tight"), (2.0**90, "tight")):
        bound = np.full((1, 2), allowed)
        assert judged(values, got, bound)[0] == judged(values, got, to_quad(bound))[0] == outcome
    assert judged(to_quad([[1e38, 1.0]]), got, np.full((1, 2), 1e30))[0] == "wrong"


def test_the_worst_element_is_no_infinity_that_is_right() -> None:
    values, got = to_quad([[316330.5, 1.0]]), np.array([[np.inf], [1.5]], np.float16)
    for arithmetic in (np.asarray, to_quad):
        outcome, index, _, ratio, *_ = judged(values, got, arithmetic(np.full((1, 2), 0.25)))
        assert (outcome, index, ratio) == ("wrong", (1, 0), 2.0)
