"""An array of usual numbers gets the record that the general way gives it, and distances tell what is rounded well."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from bn_conformance.comparison.array import compare
from bn_conformance.comparison.blocks import Block
from bn_conformance.comparison.usual import rounded_well, survey_usual
from bn_reference.arithmetic.formats import format_of
from bn_reference.arithmetic.quad import to_quad
from bn_reference.bounds.bound import Bound
from bn_reference.golden.expected import Expected

DTYPES = [np.dtype(dtype) for dtype in (np.float64, np.float32, np.float16, ml_dtypes.bfloat16)]
HALVES = DTYPES[2:]


def expected(values: Any, allowed: Any) -> Expected:
    return Expected(to_quad(values), lambda grade: Bound(allowed, np.ones(len(values), np.bool_)))


def every_number(dtype: np.dtype[Any]) -> Any:
    """Every finite number of a 16-bit format but the largest of either sign."""
    numbers = np.arange(1 << 16, dtype=np.uint16).view(dtype)
    with np.errstate(invalid="ignore"):
        return numbers[np.abs(numbers.astype(np.float64)) < format_of(dtype).largest]


def between(numbers: Any, part: float) -> Any:
    """Goldens that lie a part of the way from each number to the next one towards zero, in float64."""
    wide, inward = (side.astype(np.float64) for side in (numbers, np.nextafter(numbers, np.zeros((), numbers.dtype))))
    return wide + part * (inward - wide)


def verdict(numbers: Any, golden: Any) -> bool | None:
    errors = np.abs(numbers.astype(np.float64) - golden)
    return rounded_well(numbers, errors, 4 * errors)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_every_number_is_its_golden_rounded_up_to_half_the_distance_to_its_neighbour(dtype: np.dtype[Any]) -> None:
    numbers = every_number(dtype)
    assert verdict(numbers, between(numbers, 0.499)) is True


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_no_number_is_its_golden_rounded_beyond_half_the_distance(dtype: np.dtype[Any]) -> None:
    numbers = every_number(dtype)
    numbers = numbers[np.abs(numbers.astype(np.float64)) >= format_of(dtype).smallest_normal]
    powers = np.abs(np.frexp(numbers.astype(np.float64))[0]) == 0.5
    for number, golden in zip(numbers[~powers][::97], between(numbers[~powers], 0.501)[::97], strict=True):
        assert verdict(np.array([number]), np.array([golden])) is False
    normal = np.abs(numbers[powers].astype(np.float64)) > format_of(dtype).smallest_normal
    assert verdict(numbers[powers][normal], between(numbers[powers][normal], 0.501)) is None


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_survey_finds_what_the_general_way_finds(dtype: np.dtype[Any]) -> None:
    random, seen, unit = np.random.default_rng(2), set(), format_of(dtype).unit_roundoff
    for error in (0.0, 0.4, 0.9, 1.0, 3.0, 9.0) * 5:
        got = random.normal(size=(7, 3)).astype(dtype)
        values = to_quad(got.T) * (to_quad(1.0) + to_quad(error * unit * random.uniform(-1, 1, (3, 7))))
        allowed = 4 * unit * (0.1 + np.abs(values.astype(np.float64)))
        golden = expected(values, allowed)
        usual = survey_usual(golden, got, 1)
        general = compare("y", golden, got, 1, watch=lambda _: None)
        if usual is not None:
            seen.add(usual[0])
            assert usual == (general.level, general.judged, general.worst)
        assert compare("y", golden, got, 1).quantity(()) == general.quantity(())
    assert seen == {"exact", "tight"}


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 1e6])
def test_numbers_that_are_not_finite_or_beyond_their_bounds_are_left_to_blocks(special: float) -> None:
    values = np.arange(1.0, 7.0).reshape(2, 3)
    allowed = np.full(values.shape, 0.5)
    assert survey_usual(expected(values, allowed), values.copy(), 0) is not None
    for place in ("got", "golden", "bound"):
        changed = {"got": values.copy(), "golden": values.copy(), "bound": allowed.copy()}
        changed[place][1, 2] = -1.0 if place == "bound" and special > 1e5 and np.isfinite(special) else special
        assert survey_usual(expected(changed["golden"], changed["bound"]), changed["got"], 0) is None


def test_a_usual_array_makes_no_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Block, "__init__", lambda *_: pytest.fail("a block was made"))
    values = np.arange(1.0, 7.0).reshape(2, 3)
    assert compare("y", expected(values, np.full(values.shape, 0.5)), values.copy(), 0).level == "exact"


def test_a_float64_zero_is_left_to_blocks() -> None:
    assert verdict(np.zeros(2), np.zeros(2)) is None
    assert compare("y", expected(np.zeros((1, 2)), np.ones((1, 2))), np.zeros((1, 2)), 0).level == "exact"
