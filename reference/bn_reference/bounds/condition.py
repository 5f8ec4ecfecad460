"""The condition of a batch: what an error of x becomes in y (item 12 of BOUNDS.md).

It belongs to the data, not to an implementation: whoever computes y from an x that is off by so much gets a y that is
off by as much. Rows have shape (C, n), vectors (C,), all of float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_reference.definition.graph import Mask, column

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What errors d of x become in y, where |d| is at most a relative error times |x|.

    Attributes:
        size: |x|, rows.
        normalised: rows of (x - mean) / sqrt(variance + eps).
        deviation: sqrt(variance + eps), a vector.
        gamma: |gamma|, a vector.
        training: whether the statistics are those of x, so that its errors change them too.
        mask: of shape (n,), True where a position counts for the statistics; None where all do.
    """

    size: Numbers
    normalised: Numbers
    deviation: Numbers
    gamma: Numbers
    training: bool
    mask: Mask | None = None

    @property
    def _counted(self) -> Numbers:
        count = self.size.shape[1]
        return np.ones(count) if self.mask is None else self.mask.astype(np.float64)

    @property
    def _count(self) -> float:
        return max(float(self._counted.sum()), 1.0)

    @property
    def _scale(self) -> Numbers:
        with np.errstate(divide="ignore"):
            return column(self.gamma / self.deviation)

    @cached_property
    def largest(self) -> Numbers:
        """The largest error of y for a relative error of x, to first order and per unit of that error: rows.

        Some errors of x reach it: those of the signs of the derivative.
        """
        if not self.training:
            return np.asarray(self._scale * self.size)
        own = self._counted * (1 + self.normalised**2)
        others = np.stack([self._absolute_sums(*row) for row in zip(self.normalised, self.size, strict=True)])
        others = np.maximum(others - own * self.size, 0.0) / self._count
        return np.asarray(self._scale * (np.abs(1 - own / self._count) * self.size + others))

    def _absolute_sums(self, normalised: Numbers, size: Numbers) -> Numbers:
        """sum over the counted j of |1 + t h_j| |x_j|, for each t = h_i of one channel, by sorting h."""
        order = np.argsort(normalised)
        h, weights = normalised[order], (size * self._counted)[order]
        zeroth, first = (np.concatenate([[0.0], np.cumsum(part)]) for part in (weights, weights * h))
        with np.errstate(divide="ignore", invalid="ignore"):
            turn = np.where(normalised == 0, -np.inf, -1 / normalised)
        below, above = np.searchsorted(h, turn, "left"), np.searchsorted(h, turn, "right")
        rising = normalised >= 0  # then the terms of the h below the turn are negative, else those above it
        negative = [np.where(rising, sums[below], sums[-1] - sums[above]) for sums in (zeroth, first)]
        whole = zeroth[-1] + normalised * first[-1]
        return np.asarray(whole - 2 * (negative[0] + normalised * negative[1]))

    @cached_property
    def typical(self) -> Numbers:
        """The root mean square of the error of y, to first order and per unit of a relative error: rows.

        The errors of x are independent, with the mean 0 and the standard deviation |x|.
        """
        if not self.training:
            return self.largest
        squares, weights = self.size**2, self._counted
        sums = [np.sum(weights * squares * self.normalised**power, axis=1, keepdims=True) for power in range(3)]
        common = (sums[0] + 2 * self.normalised * sums[1] + self.normalised**2 * sums[2]) / self._count**2
        own = squares * (1 - 2 * weights * (1 + self.normalised**2) / self._count)
        return np.asarray(self._scale * np.sqrt(np.maximum(own + common, 0.0)))

    def shift(self, error: float) -> Numbers:
        """How far a relative error of x may move the deviation, as a share of it: a vector; 0 in inference."""
        if not self.training:
            return np.zeros(self.deviation.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(error * self._root_mean_square / self.deviation)

    @property
    def _root_mean_square(self) -> Numbers:
        return np.asarray(np.sqrt(np.sum(self._counted * self.size**2, axis=1) / self._count))

    def most(self, error: float) -> Numbers:
        """What a relative error of x can change y by at most, whatever its size: rows. Rigorous, and not sharp."""
        if not self.training:
            return error * self.largest
        moved = column(self.shift(error))
        mean = column(np.sum(self._counted * self.size, axis=1) / self._count)
        with np.errstate(divide="ignore", invalid="ignore"):
            staying = np.where(moved < 1, 1 - moved, np.nan)
            apart = error * self._scale * (self.size + mean) * moved / staying
            bent = column(self.gamma) * np.abs(self.normalised) * moved**2 / staying**3
        within = np.where(moved < 1, error * self.largest + apart + bent, np.inf)
        anything = column(self.gamma) * (np.abs(self.normalised) + np.sqrt(self._count - 1))
        return np.minimum(within, np.where(self._counted > 0, anything, np.inf))

    def explaining(self, difference: Any, allowed: Any) -> Numbers:
        """The smallest relative error of x that can make a difference of y, to first order: a vector.

        Args:
            difference: |y - other y|, rows.
            allowed: what rounding may make of it, rows.
        """
        beyond = np.maximum(np.asarray(difference, np.float64) - allowed, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = np.where(beyond == 0, 0.0, beyond / self.largest)
        return np.asarray(np.max(needed, axis=1, initial=0.0))
