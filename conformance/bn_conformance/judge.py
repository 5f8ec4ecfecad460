"""Golden against observation, one quantity at a time: which grade explains the error?

Nothing here has a tolerance of its own: every allowed error comes from `bn_reference.bounds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_conformance.adapter import Array
from bn_conformance.outcomes import EXACT, NOT_JUDGED, WRONG
from bn_conformance.results import Quantity
from bn_conformance.wire import NotAnArray
from bn_reference.channels import channels_first
from bn_reference.formats import Format, format_of
from bn_reference.golden import Expected
from bn_reference.grades import GRADES, TIGHT, Grade
from bn_reference.quad import Quad, round_to, to_quad

GOLDEN_SHARE = 2.0**-60
"""Largest share of a bound that the golden's own error can be: 2**-113 / 2**-53."""


class SuiteError(Exception):
    """The suite itself is wrong: a bound is NaN, for example. Never the implementation's fault."""


@dataclass(frozen=True)
class Place:
    """Where the judged array lies: its shape, and the axis of its channels (0 for a vector)."""

    shape: tuple[int, ...]
    channel_axis: int

    def index(self, row: int, column: int) -> tuple[int, ...]:
        """The index in the array of an element of its rows."""
        others = tuple(size for axis, size in enumerate(self.shape) if axis != self.channel_axis)
        rest = [int(part) for part in np.unravel_index(column, others)] if others else []
        return (*rest[: self.channel_axis], row, *rest[self.channel_axis :])


def shape_and_dtype_fault(name: str, got: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    """Empty, or what is wrong with the kind, shape or dtype of a returned array."""
    if not isinstance(got, np.ndarray):
        kind = got.description if isinstance(got, NotAnArray) else f"an object of type {type(got).__name__}"
        return f"{name} is {kind}; expected an array of shape {shape} and dtype {dtype.name}"
    if got.shape != shape:
        return f"{name} has shape {got.shape}; expected {shape}"
    if got.dtype != dtype:
        return f"{name} has dtype {got.dtype}; expected {dtype.name}"
    return ""


def judge(
    name: str,
    expected: Expected,
    got: Array,
    channel_axis: int,
    clauses: tuple[str, ...],
    must_be_exact: bool = False,
    nonfinite_alike: bool = False,
    must_be_tight: bool = False,
) -> Quantity:
    """Judge one array of the right shape and dtype.

    Args:
        name: of the quantity, for the record.
        expected: golden rows (or vector) with its bounds.
        got: what the implementation gave: a tensor, or a vector of shape (C,).
        channel_axis: axis of the channels in `got`.
        clauses: ids that the quantity is judged under.
        must_be_exact: no unit in the last place is allowed.
        nonfinite_alike: where the golden is NaN or infinite, any NaN or infinity is right.
        must_be_tight: a level worse than `tight` is wrong.

    Returns:
        The record; its worst element is the one with the largest error / bound at grade `tight`.

    Raises:
        SuiteError: a bound is NaN or negative.
    """
    place = Place(got.shape, channel_axis)
    rows = channels_first(got, channel_axis)
    golden = expected.values if expected.values.ndim == 2 else expected.values[:, None]
    rounded = expected.rounded(rows.dtype).reshape(golden.shape)
    if nonfinite_alike:
        alike = ~np.isfinite(golden) & ~np.isfinite(np.asarray(rows, np.float64))
        rows, rounded = (
            np.where(alike, np.inf, rows).astype(rows.dtype),
            np.where(alike, np.inf, rounded).astype(rows.dtype),
        )
        golden = np.where(alike, to_quad(np.inf), golden)
    outcome, errors, tight, mask = _level(name, expected, golden, rows, rounded)
    if must_be_exact and outcome not in (EXACT, NOT_JUDGED):
        outcome = WRONG
    if must_be_tight and outcome not in (EXACT, TIGHT.level, NOT_JUDGED):
        outcome = WRONG
    total = int(rows.size)
    if total == 0:
        return Quantity(name=name, outcome=EXACT, clauses=clauses)
    if not mask.any():
        return Quantity(name=name, outcome=outcome, clauses=clauses, total=total)
    ratios = _ratios(errors, tight)
    if outcome != WRONG:
        excess = None
    elif must_be_exact:
        excess = np.inf
    elif must_be_tight:
        excess = float(np.max(_sortable(ratios, mask)))
    else:
        excess = _excess(name, expected, errors, _kinds_agree(golden, rows, rounded, tight), mask)
    row, column = (int(part) for part in np.unravel_index(int(np.argmax(_sortable(ratios, mask))), rows.shape))
    got_value, expected_value = float(rows[row, column]), float(golden[row, column])
    return Quantity(
        name=name,
        outcome=outcome,
        clauses=clauses,
        error=float(errors[row, column]),
        bound=float(tight[row, column]),
        ratio=float(ratios[row, column]),
        ulp=_ulp(float(errors[row, column]), expected_value, format_of(rows.dtype)),
        index=place.index(row, column),
        expected=expected_value,
        got=got_value,
        judged=int(mask.sum()),
        total=total,
        excess=excess,
    )


def _level(
    name: str, expected: Expected, golden: Quad, rows: Array, rounded: Array
) -> tuple[str, Quad, Quad, NDArray[np.bool_]]:
    """The best level that explains every judged element; with the errors, tight bounds and judged elements."""
    errors = _errors(golden, rows, rounded)
    tight, mask = _allowed(name, expected, TIGHT, rows.shape)
    mask = mask | ~np.isfinite(golden)
    if rows.size == 0 or _same(rows, rounded) or _same_but_midpoints(golden, rows, rounded, errors, tight):
        return EXACT, errors, tight, mask
    if not mask.any():
        return NOT_JUDGED, errors, tight, mask
    kinds = _kinds_agree(golden, rows, rounded, tight)
    for grade in GRADES:
        allowed, meaningful = (tight, mask) if grade is TIGHT else _allowed(name, expected, grade, rows.shape)
        explained = kinds & (~np.isfinite(golden) | (meaningful & (errors <= allowed)) | (rows == rounded))
        overflowed = kinds & ~np.isfinite(np.asarray(rows, np.float64)) & mask
        if bool(np.all((explained | overflowed)[mask])):
            return grade.level, errors, tight, mask
    return WRONG, errors, tight, mask


def _excess(name: str, expected: Expected, errors: Quad, kinds: NDArray[np.bool_], judged: NDArray[np.bool_]) -> float:
    """The largest error / allowed under the grade that comes nearest to explaining all: how wrong is wrong?

    A grade that means nothing for some element that is judged explains nothing of it, and is not near. Infinite where
    a number stands for a NaN or an infinity, or the other way round.
    """
    found = np.inf
    if not kinds.all():
        return found
    for grade in GRADES:
        allowed, meaningful = _allowed(name, expected, grade, errors.shape)
        if meaningful.any() and not np.any(judged & np.isfinite(errors) & ~meaningful):
            found = min(found, float(np.max(_sortable(_ratios(errors, allowed), meaningful))))
    return found


def _same(rows: Array, rounded: Array) -> bool:
    """Bit for bit the rounded golden, but that zeros of either sign and NaNs of any payload are equal."""
    return bool(np.all((rows == rounded) | (np.isnan(rows) & np.isnan(rounded))))


def _same_but_midpoints(golden: Quad, rows: Array, rounded: Array, errors: Quad, tight: Quad) -> bool:
    """Whether what differs are neighbours between which the golden's own error does not decide.

    The golden is computed like anything else, at u = 2**-113, so that its error is at most the tight bound times
    2**-113 over the unit roundoff of that bound, which is at least 2**-53.
    """
    differs = ~((rows == rounded) | (np.isnan(rows) & np.isnan(rounded)))
    format_ = format_of(rows.dtype)
    values = golden[differs]
    half_ulp = 2.0 * format_.unit_roundoff * np.maximum(np.abs(values), to_quad(format_.smallest_normal))
    if bool(np.any(errors[differs] > half_ulp)):
        return False
    slack, got = tight[differs] * GOLDEN_SHARE, rows[differs]
    if not bool(np.all(np.isfinite(slack))):
        return False
    low, high = round_to(values - slack, rows.dtype), round_to(values + slack, rows.dtype)
    return bool(np.all((got == low) | (got == high)))


def _errors(golden: Quad, rows: Array, rounded: Array) -> Quad:
    """|got - golden|; 0 where both are the same infinity or NaN, infinite where the kinds differ."""
    with np.errstate(invalid="ignore", over="ignore"):
        errors = np.abs(to_quad(rows) - golden)
    same = (rows == rounded) | (np.isnan(rows) & np.isnan(rounded))
    infinite = to_quad(np.inf)
    errors = np.where(np.isfinite(errors), errors, infinite)
    return np.asarray(np.where(same & ~np.isfinite(golden), to_quad(0.0), errors))


def _kinds_agree(golden: Quad, rows: Array, rounded: Array, allowed: Quad) -> NDArray[np.bool_]:
    """Whether finite goldens met finite numbers and others their own kind; next to overflow either is right."""
    got = np.asarray(rows, np.float64)
    finite = np.isfinite(golden)
    largest = format_of(rows.dtype).largest
    near_overflow = finite & (np.abs(golden) + allowed >= largest)
    infinite_right = np.isinf(got) & (np.signbit(got) == np.signbit(golden)) & near_overflow
    special_right = ~finite & (np.isnan(got) & np.isnan(golden) | (got == np.asarray(rounded, np.float64)))
    return np.asarray((finite & np.isfinite(got)) | infinite_right | special_right)


def _allowed(name: str, expected: Expected, grade: Grade, shape: tuple[int, ...]) -> tuple[Quad, NDArray[np.bool_]]:
    bound = expected.bound(grade)
    allowed = bound.allowed if bound.allowed.ndim == 2 else bound.allowed[:, None]
    mask = _spread(bound.meaningful[:, None] & np.isfinite(allowed), shape)
    if bool(np.any((allowed < 0) & mask)):
        raise SuiteError(f"the bound of {name} is negative at grade {grade.level}")
    return _spread(allowed, shape), mask


def _spread(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    return values if values.shape == shape else np.broadcast_to(values, shape)


def _ratios(errors: Quad, allowed: Quad) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(errors == 0, to_quad(0.0), errors / allowed)
    return np.asarray(ratios, np.float64)


def _sortable(ratios: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Ratios with NaN as infinity, and what is not judged behind everything else."""
    return np.where(mask, np.where(np.isnan(ratios), np.inf, ratios), -1.0)


def _ulp(error: float, expected: float, format_: Format) -> float | None:
    """The error in units in the last place of the expected value; None where that has none."""
    if not np.isfinite(expected) or not np.isfinite(error):
        return None
    exponent = max(int(np.frexp(expected)[1]) - 1, format_.min_exponent) if expected else format_.min_exponent
    return float(np.ldexp(error, format_.precision - 1 - exponent))
