"""Deviations of arithmetic: digits that are lost on the way, whatever the format of the results."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.deviations.rounding import FLOAT16, FLOAT32, FLOAT64, through, to_bits
from bn_reference.layer.first_order import Array, Mode, Saved
from bn_reference.layer.layer import PlainLayer

# Digits lost in arithmetic.


def _each_step(
    name: str, sentence: str, effect: str, change: Callable[[PlainLayer, Array], Array], clause: str
) -> None:
    """Register a layer that rounds mean, variance, normaliser, normalised value and y."""

    class EachStep(PlainLayer):
        def mean_of(self, rows: Array, counted: Array) -> Array:
            """Round the mean."""
            return change(self, super().mean_of(rows, counted))

        def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
            """Round the variance."""
            return change(self, super().variance_of(rows, mean, counted))

        def normaliser(self, variance: Array, mode: Mode) -> Array:
            """Round the normaliser."""
            return change(self, super().normaliser(variance, mode))

        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """Round the normalised value, and y."""
            return change(self, super().scale_and_shift(change(self, normalised), mode))

    EachStep.__doc__ = sentence
    deviation(name, clause=clause, effect=effect)(EachStep)


_each_step(
    "float64-through-float32",
    "A float64 layer computes in float32.",
    "float64 layers have seven digits",
    lambda layer, values: through(layer, values, FLOAT32) if layer.storage == FLOAT64 else values,
    "DTYPE-3",
)
_each_step(
    "float32-through-float16",
    "A float32 layer computes in float16.",
    "outputs have three digits, or overflow",
    lambda layer, values: through(layer, values, FLOAT16) if layer.storage == FLOAT32 else values,
    "FWD-1",
)
_each_step(
    "half-steps-in-storage",
    "A 16-bit layer rounds each step to the format of x.",
    "16-bit errors double",
    lambda layer, values: through(layer, values, layer.storage) if layer.storage.itemsize == 2 else values,
    "DTYPE-2",
)


def _digits(
    name: str,
    sentence: str,
    effect: str,
    method: str,
    change: Callable[[PlainLayer, Array], Array],
    clause: str,
    level: str = "",
) -> None:
    """Register a layer that rounds what one method gives."""

    class Digits(PlainLayer):
        def rows_of(self, x: Array) -> Array:
            """Round x and dy, where this is the method."""
            rows = super().rows_of(x)
            return change(self, rows) if method == "rows_of" else rows

        def mean_of(self, rows: Array, counted: Array) -> Array:
            """Round the mean, where this is the method."""
            mean = super().mean_of(rows, counted)
            return change(self, mean) if method == "mean_of" else mean

        def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
            """Round the variance, where this is the method."""
            variance = super().variance_of(rows, mean, counted)
            return change(self, variance) if method == "variance_of" else variance

        def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
            """Round dx, where this is the method."""
            dx = super().dx(dy, normalised, saved)
            return change(self, dx) if method == "dx" else dx

    Digits.__doc__ = sentence
    deviation(name, clause=clause, effect=effect, level=level)(Digits)


def _eleven_bits(layer: PlainLayer, values: Array) -> Array:
    return to_bits(layer, values, 11) if layer.storage == FLOAT32 else values


_digits(
    "input-in-11-bits",
    "x and dy of float32 layers are rounded to 11 bits, as in tensor cores.",
    "outputs have three digits",
    "rows_of",
    _eleven_bits,
    "FWD-1",
)
_digits(
    "mean-in-storage",
    "The mean is rounded to the format of x before it is subtracted.",
    "outputs of 16-bit data with a large mean are shifted",
    "mean_of",
    lambda layer, values: through(layer, values, layer.storage),
    "DTYPE-2",
)
_digits(
    "variance-in-storage",
    "The variance is rounded to the format of x.",
    "outputs of 16-bit data are off by a common factor",
    "variance_of",
    lambda layer, values: through(layer, values, layer.storage),
    "DTYPE-2",
    "degraded(storage-precision)",
)
_digits(
    "dx-of-float64-through-float32",
    "dx of a float64 layer is rounded to float32.",
    "gradient checks in float64 fail",
    "dx",
    lambda layer, values: through(layer, values, FLOAT32),
    "DTYPE-3",
)
_digits(
    "dx-through-float16",
    "dx is rounded to float16, whatever x is.",
    "small gradients vanish and large overflow",
    "dx",
    lambda layer, values: through(layer, values, FLOAT16),
    "GRAD-1",
)


@deviation("output-rounded-towards-zero", clause="DTYPE-2", effect="16-bit outputs shrink from layer to layer")
class OutputRoundedTowardsZero(PlainLayer):
    """y and dx of 16-bit layers are truncated instead of rounded."""

    def output(self, rows: Array, shape: tuple[int, ...], name: str) -> Array:
        """Truncate results of 16 bits."""
        if self.storage.itemsize != 2:
            return super().output(rows, shape, name)
        nearest = self.store(rows, self.storage)
        away = np.abs(self.wide(nearest)) > np.abs(rows)
        bits = np.ascontiguousarray(nearest).view(np.uint16)
        return super().output(self.wide(np.where(away, bits - np.uint16(1), bits).view(self.storage)), shape, name)


@deviation("bfloat16-through-float16", clause="DTYPE-2", effect="bfloat16 layers overflow at 65504")
class BfloatThroughHalf(PlainLayer):
    """x of bfloat16 layers goes through float16."""

    def rows_of(self, x: Array) -> Array:
        """Round x through float16."""
        rows = super().rows_of(x)
        return through(self, rows, FLOAT16) if self.storage.name == "bfloat16" else rows
