"""Deviations of how sums are accumulated: raw moments and narrow accumulators."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.deviations.rounding import (
    FLOAT16,
    FLOAT32,
    compute_dtype,
    in_bfloat16_one_by_one,
    one_by_one,
    through,
    through_bfloat16,
)
from bn_reference.layer.first_order import Array, Saved
from bn_reference.layer.layer import PlainLayer

# One-pass variances, in the arithmetic of the format.


def _one_pass(name: str, sentence: str, effect: str, clamped: bool, clause: str = "NUM-1", link: str = "") -> None:
    """Register a layer that takes the mean of the squares less the square of the mean."""

    class OnePass(PlainLayer):
        def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
            """Compute E[x^2] - E[x]^2 and round each step."""
            dtype, counts = compute_dtype(self), self.count(counted)
            squares = through(self, np.where(counted, rows * rows, self.constant(0.0)), dtype)
            mean = through(self, mean, dtype)
            moment = through(self, self.total(squares, "variance") / counts, dtype)
            variance = through(self, moment - through(self, mean * mean, dtype), dtype)
            return np.where(variance < 0, variance * self.constant(0.0), variance) if clamped else variance

    OnePass.__doc__ = sentence
    deviation(name, clause=clause, effect=effect, link=link)(OnePass)


_one_pass(
    "raw-moments",
    "The variance is E[x^2] - E[x]^2 in the arithmetic of the format, negative values included.",
    "NaN where the mean is large beside the deviation",
    False,
    link="https://github.com/tensorflow/tensorflow/issues/118701",
)
_one_pass(
    "raw-moments-clamped",
    "The variance is max(0, E[x^2] - E[x]^2) in the arithmetic of the format.",
    "wrong scales, and no NaN, where the mean is large beside the deviation",
    True,
    link="https://github.com/google/flax/issues/1491",
)


@deviation("raw-sums", clause="NUM-1", effect="NaN or overflow where the mean is large beside the deviation")
class RawSums(PlainLayer):
    """The variance is (n * sum(x^2) - sum(x)^2) / n^2 in the arithmetic of the format."""

    def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
        """Compute the variance from the two sums."""
        dtype, counts = compute_dtype(self), self.count(counted)
        kept = np.where(counted, rows, self.constant(0.0))
        total = through(self, self.total(kept, "mean"), dtype)
        squares = through(self, self.total(through(self, kept * kept, dtype), "variance"), dtype)
        apart = through(self, through(self, counts * squares, dtype) - through(self, total * total, dtype), dtype)
        return np.asarray(apart / (counts * counts))


# Narrow accumulators.

_EVERY = ("mean", "variance", "dgamma", "dbeta")


def _summed(
    name: str,
    sentence: str,
    effect: str,
    total: Callable[[PlainLayer, Array], Array],
    clause: str,
    purposes: tuple[str, ...] = _EVERY,
    narrow_only: bool = False,
    link: str = "",
    level: str = "",
) -> None:
    """Register a layer that adds up in another way: total(layer, rows)."""

    class Summed(PlainLayer):
        def total(self, rows: Array, purpose: str) -> Array:
            """Give the changed sum for the given purposes, and the right one for all others."""
            if purpose not in purposes or (narrow_only and self.storage.itemsize != 2):
                return super().total(rows, purpose)
            return total(self, rows)

    Summed.__doc__ = sentence
    deviation(name, clause=clause, effect=effect, link=link, level=level)(Summed)


_summed(
    "sequential-sums",
    "Sums are accumulated one by one in float32, or in float64 for float64.",
    "statistics of large images lose digits",
    lambda layer, rows: one_by_one(layer, rows, compute_dtype(layer)),
    "NUM-8",
    level="degraded(sequential-sum)",
)
_summed(
    "sequential-gradient-sums",
    "dgamma and dbeta are accumulated one by one in float32.",
    "gradients of parameters lose digits where images are large",
    lambda layer, rows: one_by_one(layer, rows, compute_dtype(layer)),
    "NUM-8",
    ("dgamma", "dbeta"),
    level="degraded(sequential-sum)",
)
_summed(
    "float16-sums",
    "Sums over 16-bit data are accumulated in float16.",
    "statistics stop growing at 2048 summands, and overflow at 65504",
    lambda layer, rows: one_by_one(layer, rows, FLOAT16),
    "DTYPE-2",
    narrow_only=True,
    link="https://github.com/microsoft/tensorflow-directml-plugin/pull/321",
)
_summed(
    "float16-gradient-sums",
    "dgamma and dbeta of 16-bit data are accumulated in float16.",
    "gradients of parameters stop growing",
    lambda layer, rows: one_by_one(layer, rows, FLOAT16),
    "DTYPE-2",
    ("dgamma", "dbeta"),
    True,
)
_summed(
    "float16-sums-of-float32",
    "Sums over float32 data are accumulated in float16.",
    "statistics have three digits",
    lambda layer, rows: one_by_one(layer, rows, FLOAT16),
    "FWD-1",
)
_summed(
    "bfloat16-sums",
    "Sums over 16-bit data are rounded to bfloat16.",
    "statistics have two digits",
    lambda layer, rows: through_bfloat16(layer, rows.sum(axis=1, keepdims=True)) if rows.size else rows[:, :1],
    "DTYPE-2",
    narrow_only=True,
)
_summed(
    "bfloat16-running-sums",
    "Sums over 16-bit data are accumulated one by one in bfloat16.",
    "statistics stop growing at 256 summands",
    in_bfloat16_one_by_one,
    "DTYPE-2",
    narrow_only=True,
)
_summed(
    "bfloat16-gradient-sums",
    "dgamma and dbeta of 16-bit data are accumulated one by one in bfloat16.",
    "gradients of parameters stop growing at 256 summands",
    in_bfloat16_one_by_one,
    "DTYPE-2",
    ("dgamma", "dbeta"),
    True,
)
_summed(
    "float16-gradient-sum-stored",
    "dgamma and dbeta of 16-bit data are stored in float16 before they are used.",
    "infinite gradients where a sum passes 65504, although parameters are float32",
    lambda layer, rows: through(layer, rows.sum(axis=1, keepdims=True), FLOAT16) if rows.size else rows[:, :1],
    "DTYPE-2",
    ("dgamma", "dbeta"),
    True,
)
_summed(
    "float16-sum-before-division",
    "The sums of 16-bit data are stored in float16 before they are divided by n.",
    "infinite statistics for large images",
    lambda layer, rows: through(layer, rows.sum(axis=1, keepdims=True), FLOAT16) if rows.size else rows[:, :1],
    "DTYPE-2",
    ("mean", "variance"),
    True,
)
_summed(
    "float32-sums-in-float64",
    "Sums over float64 data are accumulated in float32.",
    "float64 has seven digits",
    lambda layer, rows: through(layer, rows.sum(axis=1, keepdims=True), FLOAT32) if rows.size else rows[:, :1],
    "DTYPE-3",
)


@deviation(
    "squares-in-storage",
    clause="DTYPE-2",
    effect="infinite variances where deviations of float16 data pass 256",
    link="https://github.com/neuroneural/brainchop-cli/pull/56",
)
class SquaresInStorage(PlainLayer):
    """The squares of the deviations are rounded to the format of x before they are added up."""

    def total(self, rows: Array, purpose: str) -> Array:
        """Add up squares that are rounded."""
        return super().total(through(self, rows, self.storage) if purpose == "variance" else rows, purpose)


@deviation(
    "gradient-products-in-storage", clause="DTYPE-2", effect="infinite dgamma where dy of float16 layers is large"
)
class GradientProductsInStorage(PlainLayer):
    """dy times the normalised value is rounded to the format of x before it is added up."""

    def dgamma(self, dy: Array, normalised: Array) -> Array:
        """Add up products that are rounded."""
        return self.total(through(self, dy * normalised, self.storage), "dgamma")

    def variance_term(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Multiply by a dgamma of rounded products."""
        return np.asarray(normalised * (self.dgamma(dy, normalised) / self.count(saved.counted)))


@deviation(
    "dx-multiplied-out-in-storage", clause="DTYPE-2", effect="infinite dx where n * dy passes the range of float16"
)
class DxMultipliedOutInStorage(PlainLayer):
    """dx is gamma / (n sigma) * (n dy - dbeta - xhat dgamma), the bracket's terms rounded to the format of x."""

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Compute dx from the three rounded terms, in training without a mask."""
        if saved.mode == "inference" or not saved.counted.all():
            return super().dx(dy, normalised, saved)
        count = self.count(saved.counted)
        parts = (count * dy, count * self.mean_term(dy, saved), count * self.variance_term(dy, normalised, saved))
        whole, mean, variance = (through(self, part, self.storage) for part in parts)
        return np.asarray(self.outer_scale(saved) / count * (whole - mean - variance))
