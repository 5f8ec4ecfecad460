"""A golden with its bounds: what the judge holds a result against."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_reference.arithmetic.quad import Parts, Quad, parts_of, round_to
from bn_reference.bounds.bound import Bound
from bn_reference.specification.grades import Grade

EVERY_ENTRY = slice(None)


class Expected:
    """A golden: rows or a vector, and for each grade what error it allows; bounds are computed once.

    Args:
        values: rows (C, n) or a vector (C,).
        bound: the allowed error of each value under a grade.
        entries: of which entries of the batch the rows are.
        first: column of the whole rows at which these begin.
    """

    whole = True
    """Whether `values` are all there is; else the parts are made one by one."""

    def __init__(
        self, values: Quad, bound: Callable[[Grade], Bound], entries: slice = EVERY_ENTRY, first: int = 0
    ) -> None:
        self.values = values
        self.bound = cache(bound)
        self.entries, self.first = entries, first
        self._rounded: dict[np.dtype[Any], NDArray[Any]] = {}

    def parts(self) -> Iterable[Expected]:
        """What is judged one after the other and together makes up the golden: usually this alone."""
        return (self,)

    @cached_property
    def in_parts(self) -> Parts:
        """The golden as sums of two float64 numbers (`parts_of`)."""
        return parts_of(self.values)

    @cached_property
    def finite(self) -> NDArray[np.bool_]:
        """Where the golden is a number."""
        return np.isfinite(self.values)

    def rounded(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """The golden rounded to a format."""
        if dtype not in self._rounded:
            self._rounded[dtype] = round_to(self.values, dtype, self.in_parts)
        return self._rounded[dtype]
