"""Numbers of the second order whose terms cancel: computed in binary128, then rounded to the arithmetic of the bounds.

P is the operator of `definition.second_order`. Rows have shape (C, n), vectors (C,).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_reference.arithmetic.quad import Quad, quietly
from bn_reference.bounds.arithmetic import rounded
from bn_reference.definition.graph import Forward, Rows, Vector, column, mean_of
from bn_reference.definition.second_order import RowSecondOrder, Upstream


@dataclass(frozen=True)
class Projection:
    """P, applied to rows a.

    Attributes:
        rows: a itself.
        mean: mean(a), a vector.
        along: mean(a * normalised), a vector.
        value: |P(a)|, rows.
    """

    rows: Rows
    mean: Vector
    along: Vector
    value: Rows

    @classmethod
    @quietly
    def of(cls, rows: Quad, normalised: Quad) -> Projection:
        """P of rows, in their arithmetic."""
        mean, along = mean_of(rows), mean_of(rows * normalised)
        return cls(rows, mean, along, np.asarray(np.abs(rows - column(mean) - normalised * column(along))))

    def cast(self, dtype: np.dtype[Any]) -> Projection:
        """The same, rounded to a format."""
        return Projection(*(rounded(part, dtype) for part in vars(self).values()))


@dataclass(frozen=True)
class Projections:
    """What the second order projects.

    Attributes:
        dy, v: P of dy and of v_dx.
        both: |mean(v_dx * P(dy))|, a vector.
    """

    dy: Projection
    v: Projection
    both: Vector

    @classmethod
    @quietly
    def of(cls, dy: Quad, v_dx: Quad, nodes: Forward, dtype: np.dtype[Any]) -> Projections:
        """Those of rows in binary128, rounded to `dtype`."""
        of_dy, of_v = (Projection.of(rows, nodes.normalised) for rows in (dy, v_dx))
        both = np.abs(mean_of(v_dx * dy) - of_v.mean * of_dy.mean - of_dy.along * of_v.along)
        return cls(of_dy.cast(dtype), of_v.cast(dtype), rounded(np.asarray(both), dtype))


def near(upstream: Upstream, values: RowSecondOrder, dtype: np.dtype[Any]) -> tuple[Upstream, RowSecondOrder]:
    """The weights and the goldens of the second order, rounded to the arithmetic of the bounds."""
    weights = Upstream(*(rounded(part, dtype) for part in vars(upstream).values()))
    return weights, RowSecondOrder(*(rounded(part, dtype) for part in values))
