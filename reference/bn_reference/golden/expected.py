"""A golden with its bounds: what a result is compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bn_reference.arithmetic.quad import Parts, Quad, parts_of, round_to
from bn_reference.bounds.bound import Bound
from bn_reference.bounds.ranges import Range
from bn_reference.specification.grades import GRADES, Grade

EVERY_ENTRY = slice(None)
"""All entries of a batch."""


T = TypeVar("T")


def once_for_each(of_grade: Callable[[Grade], T]) -> Callable[[Grade], T]:
    """A function that keeps what it gave: making `functools.cache` would take longer than it saves here."""
    known: dict[Grade, T] = {}

    def kept(grade: Grade) -> T:
        if grade not in known:
            known[grade] = of_grade(grade)
        return known[grade]

    return kept


class Expected:
    """A golden and its bound under each grade. Each bound is computed once, when it is first needed.

    Args:
        values: rows (C, n) or a vector (C,), in binary128.
        bound: gives the allowed error of each value under a grade.
        entries: the part of the array that the rows hold: entries of the batch (indices of axis 0), or an index.
        first: the column of the whole rows at which these rows begin.
        range_: gives the range of each value under a grade, for values whose bound is vacuous; None where nothing
            is said of them.
        first_row: the row of the whole rows at which these rows begin.
        uncut: gives the bound before it was cut to a share of the result's size; None where a cut bound calls what is
            outside wrong. An error between the two bounds of `stable` judges nothing.

    Attributes:
        compared: what small arrays came to that were compared with it, by format and bytes; kept by who compares.
    """

    whole = True
    """Whether `values` hold the whole golden. If not, `parts` makes it part by part."""

    grades: tuple[Grade, ...] = GRADES
    """The grades that an array is compared with, best first; what none of them explains is wrong."""

    def __init__(
        self,
        values: Quad,
        bound: Callable[[Grade], Bound],
        entries: slice | tuple[slice, ...] = EVERY_ENTRY,
        first: int = 0,
        range_: Callable[[Grade], Range] | None = None,
        first_row: int = 0,
        uncut: Callable[[Grade], Bound] | None = None,
    ) -> None:
        self.values = values
        self.bound = once_for_each(bound)
        self.entries, self.first, self.first_row = entries, first, first_row
        self.range = None if range_ is None else once_for_each(range_)
        self.uncut = None if uncut is None else once_for_each(uncut)
        self._rounded: dict[np.dtype[Any], NDArray[Any]] = {}
        self.compared: dict[tuple[np.dtype[Any], bytes], Any] = {}

    def parts(self) -> Iterable[Expected]:
        """The parts of the golden, which are judged one after the other: usually one part, the golden itself."""
        return (self,)

    @cached_property
    def in_parts(self) -> Parts:
        """The golden as sums of two float64 numbers (`parts_of`)."""
        return parts_of(self.values)

    @cached_property
    def finite(self) -> NDArray[np.bool_]:
        """Where the golden is finite; one beyond float64 is, though its first part is not."""
        finite = np.isfinite(self.in_parts[0])
        return finite if finite.all() else np.isfinite(self.values)

    def rounded(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """The golden rounded to a format."""
        if dtype not in self._rounded:
            self._rounded[dtype] = round_to(self.values, dtype, self.in_parts)
        return self._rounded[dtype]
