"""A bound: the error that a grade allows, number by number, and where it means anything."""

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
    """Allowed absolute error (rows or a vector) and the channels, of shape (C,), where it is not vacuous."""

    allowed: Quad
    meaningful: NDArray[np.bool_]

    def below(
        self,
        size: Quad,
        share: float = VACUOUS,
        tight: Callable[[], Bound] | None = None,
        mean: Vector | None = None,
    ) -> Bound:
        """The same bound, vacuous besides where it (or its mean over a row) exceeds a share of a size of shape (C,).

        Where `tight` is given and means something, the bound is cut down to that share instead of going: what is inside
        is explained by a sound algorithm, and zeros stay outside. `mean` is that over the row where it is longer than
        what is here.
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
    """For `stable`, the same bound under `tight`, worked out when it is called; None for every other grade."""
    return (lambda: bound(replace(TIGHT, safety=grade.safety))) if grade.level == STABLE.level else None
