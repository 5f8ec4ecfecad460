"""Deviations that act only where a mean is some 30,000 deviations or more, so that most bounds mean nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.deviations.rounding import compute_dtype, through
from bn_reference.layer.first_order import Array, Mode, Saved
from bn_reference.layer.layer import PlainLayer

DEVIATIONS = 3e4
"""The mean, in deviations of its channel, from which these layers are wrong."""


class _LargeMean(PlainLayer):
    """Knows the channels of a training batch whose mean is large."""

    def far(self, saved: Saved) -> Array:
        """Which channels they are: a column of booleans."""
        if saved.mode == "inference" or not saved.rows.size:
            return np.zeros((saved.rows.shape[0], 1), np.bool_)
        apart = np.where(saved.counted, saved.rows - saved.mean, self.constant(0.0))
        widest = np.abs(apart).max(axis=1, keepdims=True)
        return np.asarray((np.abs(saved.mean) > self.constant(DEVIATIONS) * widest) & (saved.mean != 0))


def _instead(name: str, value: float, sentence: str, effect: str, dx: bool, y: bool = True) -> None:
    """Enter a layer that gives one value where the mean is large."""

    class Instead(_LargeMean):
        def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
            """Remembers where y is to be replaced."""
            saved = super().normalisers(x, mask, training)
            self.replaced = self.far(saved)
            return saved

        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """The value, where the mean is large."""
            right = super().scale_and_shift(normalised, mode)
            return np.where(self.replaced, self.constant(value), right) if y else right

        def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
            """The value, where the mean is large."""
            right = super().dx(dy, normalised, saved)
            return np.where(self.far(saved), self.constant(value), right) if dx else right

    Instead.__doc__ = sentence
    deviation(name, clause="NUM-3", effect=effect)(Instead)


_instead(
    "nan-where-mean-is-large",
    float("nan"),
    "y is NaN in channels whose mean is more than 30,000 deviations.",
    "one constant feature turns a model to NaN",
    dx=False,
)
_instead(
    "huge-where-mean-is-large",
    1e30,
    "y and dx are 1e30 in channels whose mean is more than 30,000 deviations.",
    "one constant feature makes training diverge",
    dx=True,
)
_instead(
    "dx-nan-where-mean-is-large",
    float("nan"),
    "dx is NaN in channels whose mean is more than 30,000 deviations.",
    "one constant feature turns every weight before it to NaN",
    dx=True,
    y=False,
)


def _variance(name: str, sentence: str, effect: str, clause: str, change: Callable[..., Array]) -> None:
    """Enter a layer that changes the variance of channels whose mean is large."""

    class Variance(_LargeMean):
        def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
            """Changed where the mean is large."""
            right = super().variance_of(rows, mean, counted)
            saved = Saved(rows, mean, right, counted, "training", rows.shape, mean)
            return np.where(self.far(saved), change(self, rows, mean, counted), right)

    Variance.__doc__ = sentence
    deviation(name, clause=clause, effect=effect)(Variance)


def _raw_moments(layer: PlainLayer, rows: Array, mean: Array, counted: Array) -> Array:
    dtype = compute_dtype(layer)
    kept = np.where(counted, rows, layer.constant(0.0))
    squares = through(layer, layer.total(through(layer, kept * kept, dtype), "variance"), dtype)
    mean = through(layer, mean, dtype)
    apart = through(layer, squares / layer.count(counted), dtype) - through(layer, mean * mean, dtype)
    return np.asarray(np.maximum(apart, layer.constant(0.0)))


_variance(
    "raw-moments-where-mean-is-large",
    "The variance is max(0, E[x^2] - E[x]^2) in channels whose mean is more than 30,000 deviations.",
    "1 / sqrt(eps) stands for one deviation, or nothing at all",
    "NUM-1",
    _raw_moments,
)
_variance(
    "squared-mean-for-variance",
    "The variance is the squared mean in channels whose mean is more than 30,000 deviations.",
    "a running variance that spoils inference for long",
    "NUM-3",
    lambda layer, rows, mean, counted: mean * mean,
)
