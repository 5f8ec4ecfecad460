"""A bound: the error that a grade allows for each number, and the channels where it is not vacuous."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bn_reference.arithmetic.quad import Quad
from bn_reference.definition.graph import (
    Vector,
    column,
    mean_of,
)
from bn_reference.specification.grades import STABLE, TIGHT, VACUOUS, Grade


class Bound(NamedTuple):
    """The error that a grade allows.

    Attributes:
        allowed: allowed absolute error of each number: rows (C, n) or a vector (C,).
        meaningful: of shape (C,), False where the bound is vacuous: it judges nothing in that channel.
    """

    allowed: Quad
    meaningful: NDArray[np.bool_]

    def below(
        self,
        size: Quad,
        share: float = VACUOUS,
        tight: Callable[[], Bound] | None = None,
        mean: Vector | None = None,
    ) -> Bound:
        """The same bound, made vacuous where it is too large beside the size of the result itself.

        It is too large where it exceeds `share` times `size`; of rows, their mean counts. With `tight`, such a bound is
        cut down to `share * size` instead, in channels where the tight bound is not vacuous: errors inside are
        explained by a sound algorithm, and zeros stay outside.

        Args:
            size: how large the result typically is, a vector of shape (C,).
            share: the largest allowed bound, as a share of `size`.
            tight: gives the bound of the grade `tight`; None to cut nothing down.
            mean: mean of the bound over each whole row, where `allowed` holds only some of its columns.
        """
        allowed = mean if mean is not None else mean_of(self.allowed) if self.allowed.ndim == 2 else self.allowed
        fits = (allowed <= share * size) | (size == 0)
        if tight is None or fits.all():
            return Bound(self.allowed, self.meaningful & fits)
        best = tight()
        cut = self.meaningful & best.meaningful & ~fits
        factor = np.where(cut, share * size / allowed, np.ones((), allowed.dtype))
        scaled = self.allowed * (column(factor) if self.allowed.ndim == 2 else factor)
        where = column(cut) if self.allowed.ndim == 2 else cut
        scaled = np.where(where, np.maximum(scaled, best.allowed), self.allowed)
        return Bound(scaled, self.meaningful & (fits | cut))


def tight_of(grade: Grade, bound: Callable[[Grade], Bound]) -> Callable[[], Bound] | None:
    """For the grade `stable`, a function that gives the same bound under `tight`; None for every other grade."""
    return (lambda: bound(replace(TIGHT, safety=grade.safety))) if grade.level == STABLE.level else None
