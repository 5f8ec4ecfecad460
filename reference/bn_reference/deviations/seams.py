"""Deviations at the seams of blocks of long sums: one value of many is dropped there, or counted twice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer

LONG = 8192
"""Up to so many values these layers sum in one block."""


def _at_seam(name: str, sentence: str, effect: str, weight: float, purpose: str, seam: Callable[[int], int]) -> None:
    """Register a layer that adds the value at seam(n) so many times more to a sum."""

    class AtSeam(PlainLayer):
        def total(self, rows: Array, purpose_of_sum: str) -> Array:
            """Add the value at the seam once more, or take it out."""
            total, count = super().total(rows, purpose_of_sum), rows.shape[1]
            if purpose_of_sum != purpose or count <= LONG:
                return total
            place = seam(count)
            return np.asarray(total + self.constant(weight) * rows[:, place : place + 1])

    AtSeam.__doc__ = sentence
    deviation(name, clause="NUM-8", effect=effect)(AtSeam)


_SHARED = "statistics of long channels are off by more than rounding, where large values lie badly"
_at_seam(
    "seam-twice-in-variance",
    "Beyond 8,192 values the last one of the first block of 8,192 is counted twice in the variance.",
    _SHARED,
    1.0,
    "variance",
    lambda count: LONG - 1,
)
_at_seam(
    "seam-dropped-from-variance",
    "Beyond 8,192 values the first one of the last block of 1,000 is not in the variance.",
    _SHARED,
    -1.0,
    "variance",
    lambda count: (count - 1) // 1000 * 1000,
)
_at_seam(
    "end-dropped-from-mean",
    "Beyond 8,192 values the last one is not in the mean.",
    _SHARED,
    -1.0,
    "mean",
    lambda count: count - 1,
)
