"""Blocks of an array under judgement, element by element: the golden, what came, and what a grade allows between them.

An array of usual size is one block. One that is too long to be spread out in binary128 is many, made one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_conformance.adapter import Array
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.formats import format_of
from bn_reference.arithmetic.quad import Quad, round_to, to_quad
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import TIGHT, Grade

GOLDEN_SHARE = 2.0**-60
"""Largest share of a bound that the golden's own error can be: 2**-113 / 2**-53."""


class SuiteError(Exception):
    """The suite itself is wrong: a bound is NaN, for example. Never the implementation's fault."""


@dataclass(frozen=True, kw_only=True)
class Worst:
    """An element with the largest error / bound at grade `tight`, the first of those in the order of rows."""

    sortable: float
    row: int
    column: int
    error: float
    bound: float
    ratio: float
    expected: float
    got: float

    def behind(self, other: Worst) -> bool:
        """Whether another element is worse, or as bad and comes first."""
        return (other.sortable, -other.row, -other.column) > (self.sortable, -self.row, -self.column)


class Block:
    """Some entries of the batch under judgement, usually all: the golden, what came, and their difference.

    Errors are in what bounds are in. Where `alike` is set, any NaN or infinity stands for the golden's.
    """

    def __init__(self, name: str, expected: Expected, rows: Array, alike: bool) -> None:
        self.name, self.expected, self.first = name, expected, expected.first
        shape = expected.values.shape if expected.values.ndim == 2 else (*expected.values.shape, 1)
        golden, rounded = expected.values.reshape(shape), expected.rounded(rows.dtype).reshape(shape)
        self.finite = expected.finite.reshape(shape)
        if alike:
            both = ~self.finite & ~np.isfinite(np.asarray(rows, np.float64))
            rows, rounded = (np.where(both, np.inf, part).astype(rows.dtype) for part in (rows, rounded))
            golden = np.where(both, to_quad(np.inf), golden)
        self.golden, self.rows, self.rounded = golden, rows, rounded
        self.wide = np.asarray(rows, np.float64)
        self.same = (rows == rounded) | (np.isnan(self.wide) & np.isnan(rounded))
        self.tight, mask = self.allowed(TIGHT)
        if self.tight.dtype == np.float64 and bool(self.finite.all()):
            high, rest = expected.in_parts
            self.errors = _near_errors(high.reshape(shape), rest.reshape(shape), self.wide)
        else:
            self.errors = _errors(golden, rows, self.same).astype(self.tight.dtype, copy=False)
        self.mask = mask | ~self.finite

    def allowed(self, grade: Grade) -> tuple[Quad, NDArray[np.bool_]]:
        """The allowed errors under a grade, and where they mean anything."""
        return _allowed(self.name, self.expected, grade, self.rows.shape)

    @cached_property
    def kinds(self) -> NDArray[np.bool_]:
        """Whether finite goldens met finite numbers and others their own kind; next to overflow either is right."""
        agree = self.finite & np.isfinite(self.wide)
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
            return False  # by a unit in the last place or more, where neighbours are off by half of one
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
            row=row,
            column=self.first + column,
            error=float(self.errors[row, column]),
            bound=float(self.tight[row, column]),
            ratio=float(ratios[row, column]),
            expected=float(self.golden[row, column]),
            got=float(self.rows[row, column]),
        )


class Blocks:
    """The blocks of an array under judgement; one alone is made once, of several each when its turn comes."""

    def __init__(self, name: str, expected: Expected, got: Array, channel_axis: int, alike: bool) -> None:
        def block(part: Expected) -> Block:
            return Block(name, part, channels_first(got[part.entries], channel_axis), alike)

        self._block, self._parts = block, expected.parts
        self._only = [block(expected)] if expected.whole else []

    def __iter__(self) -> Iterator[Block]:
        return iter(self._only or map(self._block, self._parts()))


def _only_midpoints(golden: Quad, got: Array, tight: NDArray[Any]) -> bool:
    """Whether what came are neighbours between which the golden's own error does not decide.

    The golden is computed like anything else, at u = 2**-113, so that its error is at most the tight bound times
    2**-113 over the unit roundoff of that bound, which is at least 2**-53.
    """
    slack = tight * GOLDEN_SHARE
    if not bool(np.all(np.isfinite(slack))):
        return False
    low, high = round_to(golden - slack, got.dtype), round_to(golden + slack, got.dtype)
    return bool(np.all((got == low) | (got == high)))


def _near_errors(high: NDArray[np.float64], rest: NDArray[np.float64], got: NDArray[np.float64]) -> NDArray[np.float64]:
    """|got - golden| in float64, for a finite golden in two parts; infinite where NaN came.

    got - high is exact where they are within a factor of 2 of each other (Sterbenz), and rounded once elsewhere; the
    rest is at most half a unit in the last place of high, and has itself 53 bits. So the error is off by 2**-52 of
    itself and by 2**-106 of the golden, next to bounds of 2**-53 of it.
    """
    errors = np.abs((got - high) - rest)
    return np.where(np.isnan(errors), np.inf, errors) if np.isnan(errors).any() else errors


def _errors(golden: Quad, rows: Array, same: NDArray[np.bool_]) -> Quad:
    """|got - golden|; 0 where both are the same infinity or NaN, infinite where the kinds differ."""
    with np.errstate(invalid="ignore", over="ignore"):
        errors = np.abs(to_quad(rows) - golden)
    infinite = to_quad(np.inf)
    errors = np.where(np.isfinite(errors), errors, infinite)
    return np.asarray(np.where(same & ~np.isfinite(golden), to_quad(0.0), errors))


def _kinds_agree(golden: Quad, rows: Array, rounded: Array, allowed: NDArray[Any]) -> NDArray[np.bool_]:
    """Where an infinity came next to overflow, and the golden's own kind where that is no number."""
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
    if bool(np.any((allowed < 0) & mask)):
        raise SuiteError(f"the bound of {name} is negative at grade {grade.level}")
    return _spread(allowed, shape), mask


def _spread(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    return values if values.shape == shape else np.broadcast_to(values, shape)


def ratios_of(errors: Quad, allowed: Quad) -> NDArray[np.float64]:
    """Error / allowed, 0 where the error is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(errors == 0, np.zeros((), errors.dtype), errors / allowed)
    return np.asarray(ratios, np.float64)


def sortable(ratios: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Ratios with NaN as infinity, and what is not judged behind everything else."""
    return np.where(mask, np.where(np.isnan(ratios), np.inf, ratios), -1.0)
