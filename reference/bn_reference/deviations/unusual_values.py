"""Deviations that only unusual values or sizes show: one entry, no pixels, far dy, eps, momenta, and overflow of y."""

from __future__ import annotations

import numpy as np

from bn_reference.arithmetic.formats import format_of
from bn_reference.definition.graph import RowGradients
from bn_reference.definition.running import Weights
from bn_reference.deviations import deviation
from bn_reference.deviations.rounding import compute_dtype, through
from bn_reference.layer.first_order import Array, Mode
from bn_reference.layer.layer import PlainLayer

# Sizes.


@deviation("one-entry-refused", clause="EDGE-1", effect="training by single images is impossible", numeric=False)
class OneEntryRefused(PlainLayer):
    """Training refuses a batch of one entry, however many values a channel has."""

    def check_count(self, count: int) -> None:
        """Refuse one entry."""
        super().check_count(count)
        if self.shape[0] == 1:
            raise ValueError("the batch has one entry; training needs 2 or more")


@deviation("one-entry-moves-nothing", clause="EDGE-1", effect="statistics of training by single images never move")
class OneEntryMovesNothing(PlainLayer):
    """Running statistics do not move in a batch of one entry."""

    def moves(self, training: bool) -> bool:
        """Whether they move: not in a batch of one entry."""
        return super().moves(training) and self.shape[0] != 1


@deviation("no-pixels-spoil-statistics", clause="EDGE-2", effect="a model is NaN in use after one empty crop")
class NoPixelsSpoilStatistics(PlainLayer):
    """Entries without values turn the running mean to NaN."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Accept entries without values."""
        if training and not self.frozen and not x.size and x.shape[0] and self.config.num_channels:
            self.running_mean = np.full_like(self.running_mean, np.nan)
            return x.copy()
        return super().forward_masked(x, mask, training)


# dy, eps and momentum.


def _read_dy(name: str, sentence: str, effect: str, low: float, high: float) -> None:
    """Register a layer that flushes a dy below `low` and clips one above `high`."""

    class ReadDy(PlainLayer):
        def backward(self, dy: Array) -> RowGradients:
            """Run the backward on the changed dy."""
            wide = dy.astype(np.float64)
            changed = np.clip(np.where(np.abs(wide) < low, 0.0, wide), -high, high)
            return super().backward(changed.astype(dy.dtype))

    ReadDy.__doc__ = sentence
    deviation(name, clause="GRAD-5", effect=effect)(ReadDy)


_read_dy("dy-flushed-below-1e-25", "A dy below 1e-25 is taken for 0.", "deep layers do not learn", 1e-25, np.inf)
_read_dy("dy-clipped-at-1e15", "A dy above 1e15 is taken for 1e15.", "scaled losses are cut", 0.0, 1e15)


@deviation("eps-at-most-10", clause="FWD-2", effect="layers with a large eps are scaled wrongly")
class EpsAtMostTen(PlainLayer):
    """An eps above 10 is taken for 10."""

    def eps_in(self, mode: Mode) -> Array:
        """The limited eps."""
        return np.asarray(np.minimum(super().eps_in(mode), self.constant(10.0)))


@deviation(
    "weight-at-most-0.95", clause="STAT-1", effect="statistics lag behind the batch where they should be its own"
)
class WeightAtMost(PlainLayer):
    """A weight of the new statistic between 0.95 and 1 is taken for 0.95."""

    def blend(self, old: Array, new: Array, weights: Weights) -> Array:
        """The average with the limited weight."""
        if not self.constant(0.95) < weights.new < self.constant(1.0):
            return super().blend(old, new, weights)
        return self.store(self.constant(0.05) * self.wide(old) + self.constant(0.95) * new, self.statistics_dtype)


# Masks and formats.


@deviation(
    "raw-moments-with-a-mask",
    clause="MASK-1",
    effect="the digits of padded batches are lost where their mean is large",
    level="degraded(raw-moments)",
)
class RawMomentsWithMask(PlainLayer):
    """With a mask the variance is E[x^2] - E[x]^2 in the arithmetic of the format."""

    def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
        """Compute E[x^2] - E[x]^2 and round each step, where some position does not count."""
        if counted.all():
            return super().variance_of(rows, mean, counted)
        dtype = compute_dtype(self)
        squares = through(self, np.where(counted, rows * rows, self.constant(0.0)), dtype)
        moment = through(self, self.total(squares, "variance") / self.count(counted), dtype)
        mean = through(self, mean, dtype)
        return np.asarray(moment - through(self, mean * mean, dtype))


def _overflowing(name: str, sentence: str, effect: str, nan: bool) -> None:
    """Register a layer that stores results beyond its 16-bit format otherwise than as infinities."""

    class Overflowing(PlainLayer):
        def store(self, values: Array, dtype: np.dtype[np.generic]) -> Array:
            """Replace what would be infinite."""
            return finite(super().store(values, dtype), values, dtype)

        def deliver(self, values: Array, dtype: np.dtype[np.generic]) -> Array:
            """Replace it where results are not rounded, too."""
            return finite(super().deliver(values, dtype), values, dtype)

    def finite(kept: Array, values: Array, dtype: np.dtype[np.generic]) -> Array:
        if dtype.itemsize != 2:
            return kept
        near = values.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            beyond = np.isinf(near.astype(dtype).astype(np.float64)) & np.isfinite(near)
        if not beyond.any():
            return kept
        instead = np.nan if nan else np.sign(near) * format_of(dtype).largest
        return np.where(beyond, instead, kept.astype(np.float64)).astype(kept.dtype)

    Overflowing.__doc__ = sentence
    deviation(name, clause="DTYPE-6", effect=effect)(Overflowing)


_overflowing(
    "overflow-saturates",
    "A result beyond a 16-bit format is its largest number.",
    "an overflow looks like a number",
    nan=False,
)
_overflowing("overflow-gives-nan", "A result beyond a 16-bit format is NaN.", "an overflow spreads as NaN", nan=True)
