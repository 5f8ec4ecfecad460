"""Plain layers that do not round their results, in three orders of summation.

In narrow arithmetic each order rounds differently, as correct implementations do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer


class UnroundedLayer(PlainLayer):
    """Returns results in the dtype in which it computes."""

    def deliver(self, values: Any, dtype: np.dtype[Any]) -> Any:
        """The values as they are."""
        return values


class ReversedSums(UnroundedLayer):
    """Adds up from the last value to the first."""

    def total(self, rows: Array, purpose: str) -> Array:
        """The sums of the rows, shape (C, n), in reversed order; shape (C,)."""
        return super().total(rows[:, ::-1], purpose)


class InterleavedSums(UnroundedLayer):
    """Adds up every second value before the others."""

    def total(self, rows: Array, purpose: str) -> Array:
        """The sums of the rows, shape (C, n), even positions first; shape (C,)."""
        return super().total(np.concatenate([rows[:, ::2], rows[:, 1::2]], axis=1), purpose)
