"""Blocks of an array: its golden, the array itself, and the error that a grade allows, element by element.

An array of usual size is one block. An array that is too long to be held in binary128 is many blocks, made one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_conformance.adapter import Array
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.formats import format_of
from bn_reference.arithmetic.quad import Quad, quietly, round_to, to_quad
from bn_reference.bounds.bound import Bound
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import GRADES, STABLE, TIGHT, Grade

GOLDEN_SHARE = 2.0**-60
"""The golden's own error is at most this part of a bound: 2**-113 / 2**-53."""


class SuiteError(Exception):
    """The suite itself is wrong: a bound is NaN, for example. Never the implementation's fault."""


@dataclass(frozen=True, kw_only=True)
class Worst:
    """The element with the largest error / bound at grade `tight`; of several, the first in the order of rows.

    Attributes:
        sortable: error / bound, with NaN as infinity.
        row, column: its place in the rows.
        error: absolute error.
        bound: allowed error at grade `tight`.
        ratio: error / bound.
        expected: the golden.
        got: the number of the array.
    """

    sortable: float
    row: int
    column: int
    error: float
    bound: float
    ratio: float
    expected: float
    got: float

    def behind(self, candidate: Worst) -> bool:
        """Whether a candidate is worse, or as bad and comes first."""
        return (candidate.sortable, -candidate.row, -candidate.column) > (self.sortable, -self.row, -self.column)


class Block:
    """Some entries of the batch, usually all: the golden, the array, and the errors between them.

    Errors have the dtype of the bounds.

    Attributes:
        widest: the grade whose range holds for elements that no bound judges.

    Args:
        name: of the quantity, for messages.
        expected: the golden of these entries, with its bounds.
        rows: the array as rows.
        alike: any NaN or infinity is right where the golden is NaN or infinite.

    Raises:
        SuiteError: a bound is negative.
    """

    def __init__(self, name: str, expected: Expected, rows: Array, alike: bool) -> None:
        self.name, self.expected, self.first, self.first_row = name, expected, expected.first, expected.first_row
        shape = expected.values.shape if expected.values.ndim == 2 else (*expected.values.shape, 1)
        golden, rounded = expected.values.reshape(shape), expected.rounded(rows.dtype).reshape(shape)
        self.finite = expected.finite.reshape(shape)
        if alike:
            both = ~self.finite & ~np.isfinite(np.asarray(rows, np.float64))
            rows, rounded = (np.where(both, np.inf, part).astype(rows.dtype) for part in (rows, rounded))
            golden = np.where(both, to_quad(np.inf), golden)
        self.golden, self.rows, self.rounded = golden, rows, rounded
        self.wide = np.asarray(rows, np.float64)
        same, got_finite = rows == rounded, np.isfinite(self.wide)
        self.same = same if same.all() else same | (np.isnan(self.wide) & np.isnan(rounded))
        self._both_finite = self.finite & got_finite
        all_finite = bool(self._both_finite.all())
        self.tight, mask = self.allowed(TIGHT)
        if self.tight.dtype == np.float64 and (all_finite or bool(self.finite.all())):
            high, rest = expected.in_parts
            self.errors = near_errors(high.reshape(shape), rest.reshape(shape), self.wide)
        else:
            self.errors = _errors(golden, rows, self.same).astype(self.tight.dtype, copy=False)
        self.widest = STABLE
        if not all_finite:
            if (infinite := np.isinf(self.wide)).any():  # an infinity next to overflow is no error
                self.errors = np.where(infinite & self.kinds, np.zeros((), self.errors.dtype), self.errors)
            mask = mask | ~self.finite
        self.mask = mask if self.expected.uncut is None else mask & ~self._undecided()

    def _undecided(self) -> NDArray[np.bool_]:
        """Elements that nothing is said of: those of a channel where an error is beyond the share, inside the bound.

        An algorithm of the grade may be so far off, and so may zeros. An error outside the whole bounds of all grades
        stays judged. What the last grade that it took allows is the range of these elements.
        """
        uncut, nothing = self.expected.uncut, np.zeros((1, 1), np.bool_)
        if uncut is None or bool((self.errors <= self.tight).all()):
            return nothing
        explained, grades = self._within(self.expected.bound, TIGHT), GRADES[1:]
        for grade in grades:
            explained = explained | self._within(self.expected.bound, grade)
            if explained.all():
                return nothing
        inside = np.zeros_like(explained)
        for grade in grades:
            more = self._within(uncut, grade) & ~inside & self.finite
            self.widest = grade if (more & ~explained).any() else self.widest
            inside = inside | more
        return np.asarray(inside & (inside & ~explained).any(axis=1, keepdims=True))

    def _within(self, bound: Callable[[Grade], Bound], grade: Grade) -> NDArray[np.bool_]:
        """Where errors are within a bound that means anything."""
        allowed, meaningful = bound(grade)
        return np.asarray(meaningful[:, None] & (self.errors <= allowed))

    def allowed(self, grade: Grade) -> tuple[Quad, NDArray[np.bool_]]:
        """The allowed errors under a grade, and where they mean anything."""
        return _allowed(self.name, self.expected, grade, self.rows.shape)

    @cached_property
    def kinds(self) -> NDArray[np.bool_]:
        """Where the kinds agree: both finite, both NaN or the same infinity. Next to overflow, either kind is right."""
        agree = self._both_finite
        return agree if agree.all() else agree | _kinds_agree(self.golden, self.rows, self.rounded, self.tight)

    @property
    def exact(self) -> bool:
        """Whether every element is the rounded golden."""
        if self.same.all():
            return True
        format_ = format_of(self.rows.dtype)
        size = np.maximum(np.abs(np.asarray(self.rounded, np.float64)), format_.smallest_normal)
        differs = ~self.same
        if bool((differs & (self.errors > 2.0 * format_.unit_roundoff * size)).any()):
            return False  # the error is a whole unit in the last place; that of a neighbour is half a unit
        return _only_midpoints(self.golden[differs], self.rows[differs], self.tight[differs])

    def explained(self, grade: Grade) -> bool:
        """Whether a grade explains every judged element."""
        allowed, meaningful = (self.tight, self.mask) if grade is TIGHT else self.allowed(grade)
        inside = (self.errors <= allowed) & meaningful & self.kinds
        if inside.all():
            return True
        explained = inside | (self.kinds & (~self.finite | (self.rows == self.rounded) | ~np.isfinite(self.wide)))
        return bool((explained | ~self.mask).all())

    def worst(self) -> Worst | None:
        """The worst judged element; None where none is judged."""
        if not self.mask.any():
            return None
        ratios = ratios_of(self.errors, self.tight)
        sizes = sortable(ratios, self.mask)
        row, column = (int(part) for part in np.unravel_index(int(np.argmax(sizes)), ratios.shape))
        return Worst(
            sortable=float(sizes[row, column]),
            row=self.first_row + row,
            column=self.first + column,
            error=float(self.errors[row, column]),
            bound=float(self.tight[row, column]),
            ratio=float(ratios[row, column]),
            expected=float(self.golden[row, column]),
            got=float(self.rows[row, column]),
        )


class Blocks:
    """The blocks of an array. A single block is kept once it is made; several are made anew in each iteration."""

    def __init__(self, name: str, expected: Expected, got: Array, channel_axis: int, alike: bool) -> None:
        def block(part: Expected) -> Block:
            return Block(name, part, channels_first(got[part.entries], channel_axis), alike)

        self._block, self._parts, self._whole = block, expected.parts, expected.whole
        self._only: list[Block] = []

    def __iter__(self) -> Iterator[Block]:
        if self._whole and not self._only:
            self._only = list(map(self._block, self._parts()))
        return iter(self._only or map(self._block, self._parts()))


def _only_midpoints(golden: Quad, got: Array, tight: NDArray[Any]) -> bool:
    """Whether every number is one of two neighbours between which the golden's own error leaves the rounding open.

    The golden is computed at u = 2**-113. So its error is at most the tight bound times 2**-113 over the unit roundoff
    of that bound, which is at least 2**-53.
    """
    slack = tight * GOLDEN_SHARE
    if not bool(np.all(np.isfinite(slack))):
        return False
    low, high = round_to(golden - slack, got.dtype), round_to(golden + slack, got.dtype)
    return bool(np.all((got == low) | (got == high)))


def near_errors(high: NDArray[np.float64], rest: NDArray[np.float64], got: NDArray[np.float64]) -> NDArray[np.float64]:
    """|got - golden| in float64, for a finite golden in two parts; infinite where `got` is NaN.

    got - high is exact where both are within a factor of 2 of each other (Sterbenz), and is rounded once elsewhere. The
    rest has 53 bits of its own, and is at most half a unit in the last place of high. So the error is off by 2**-52 of
    itself and by 2**-106 of the golden, while bounds are at least 2**-53 of the golden.
    """
    errors = np.abs((got - high) - rest)
    return np.where(np.isnan(errors), np.inf, errors) if np.isnan(errors).any() else errors


@quietly
def _errors(golden: Quad, rows: Array, same: NDArray[np.bool_]) -> Quad:
    """|got - golden|: 0 where both are the same infinity or both NaN, infinite where the kinds differ."""
    errors = np.abs(to_quad(rows) - golden)
    infinite = to_quad(np.inf)
    errors = np.where(np.isfinite(errors), errors, infinite)
    return np.asarray(np.where(same & ~np.isfinite(golden), to_quad(0.0), errors))


def _kinds_agree(golden: Quad, rows: Array, rounded: Array, allowed: NDArray[Any]) -> NDArray[np.bool_]:
    """Where infinities and NaN are right: an infinity next to overflow, or the same kind as the golden."""
    got = np.asarray(rows, np.float64)
    finite, largest = np.isfinite(golden), format_of(rows.dtype).largest
    near_overflow = finite & (np.abs(golden) + allowed >= largest)
    infinite_right = np.isinf(got) & (np.signbit(got) == np.signbit(golden)) & near_overflow
    special_right = ~finite & (np.isnan(got) & np.isnan(golden) | (got == np.asarray(rounded, np.float64)))
    return np.asarray(infinite_right | special_right)


def _allowed(name: str, expected: Expected, grade: Grade, shape: tuple[int, ...]) -> tuple[Quad, NDArray[np.bool_]]:
    bound = expected.bound(grade)
    allowed = bound.allowed if bound.allowed.ndim == 2 else bound.allowed[:, None]
    mask = _spread(bound.meaningful[:, None] & np.isfinite(allowed), shape)
    negative = allowed < 0
    if negative.any() and bool((negative & mask).any()):
        raise SuiteError(f"the bound of {name} is negative at grade {grade.level}")
    return _spread(allowed, shape), mask


def _spread(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    return values if values.shape == shape else np.broadcast_to(values, shape)


@quietly
def ratios_of(errors: Quad, allowed: Quad) -> NDArray[np.float64]:
    """Error / allowed, 0 where the error is 0."""
    return np.asarray(np.where(errors == 0, np.zeros((), errors.dtype), errors / allowed), np.float64)


def sortable(ratios: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Ratios with NaN as infinity, and -1 for elements that are not judged."""
    missing = np.isnan(ratios)
    known = np.where(missing, np.inf, ratios) if missing.any() else ratios
    return known if mask.all() else np.where(mask, known, -1.0)
