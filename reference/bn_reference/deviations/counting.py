"""Deviations of counts: n that is off, and blocks that are averaged without theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.deviations.rounding import (
    FLOAT16,
    through,
    through_bfloat16,
)
from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer

# Counters.


def _counted(
    name: str, sentence: str, effect: str, change: Callable[..., Any], clause: str = "LAYOUT-4", link: str = ""
) -> None:
    """Register a layer that counts in another way: change(layer, count)."""

    class Counted(PlainLayer):
        def count(self, counted: Array) -> Any:
            """Change the right count."""
            return change(self, super().count(counted))

    Counted.__doc__ = sentence
    deviation(name, clause=clause, effect=effect, link=link)(Counted)


def _modulo(size: float) -> Callable[..., Any]:
    return lambda layer, count: layer.constant(float(count) % size)


_counted(
    "counts-one-too-many",
    "Sums are divided by n + 1, as where a counter starts at one.",
    "outputs of small batches have a mean",
    lambda layer, count: count + layer.constant(1.0),
    "FWD-1",
)
_counted(
    "counts-one-too-few",
    "Sums are divided by n - 1, even for the mean.",
    "outputs of small batches have a mean",
    lambda layer, count: np.maximum(count - layer.constant(1.0), layer.constant(1.0)),
    "FWD-1",
)
_counted(
    "counts-batch-size",
    "Sums are divided by the entries of the batch and not by their pixels.",
    "statistics of images are too large by the number of pixels",
    lambda layer, count: layer.constant(float(layer.shape[0])),
    "FWD-1",
)
_counted(
    "counts-pixels",
    "Sums are divided by the pixels of one entry.",
    "statistics are too large by the size of the batch",
    lambda layer, count: layer.constant(layer.batch_values() / max(layer.shape[0], 1)),
    "FWD-1",
)
_counted(
    "count-in-float16",
    "n is kept in float16.",
    "beyond 65504 values all statistics are zero",
    lambda layer, count: through(layer, np.asarray(count), FLOAT16)[()],
    "NUM-8",
    "https://github.com/tensorflow/tensorflow/pull/30230",
)
_counted(
    "count-in-bfloat16",
    "n is kept in bfloat16.",
    "counts above 256 are off by up to 0.4 %",
    lambda layer, count: through_bfloat16(layer, np.asarray(count).reshape(1))[0],
)
_counted(
    "count-in-8-bits",
    "n is kept in 8 bits and starts again at 256.",
    "infinite statistics at 256 values",
    _modulo(256.0),
)
_counted(
    "count-in-16-bits",
    "n is kept in 16 bits and starts again at 65536.",
    "infinite statistics at 65536 values",
    _modulo(65536.0),
    "NUM-8",
)
_counted(
    "counter-stops-at-2048",
    "A counter in float16 that adds one at a time stops at 2048.",
    "means of larger batches are too large",
    lambda layer, count: np.minimum(count, layer.constant(2048.0)),
    "NUM-8",
)
_counted(
    "count-of-first-batch",
    "n is taken from the first batch for ever.",
    "a last batch that is smaller is off",
    lambda layer, count: layer.__dict__.setdefault("first_count", count),
    "STATE-5",
)

# Blocks.

BLOCK = 32
"""Values of a block, as of a warp."""


def _blocks(name: str, sentence: str, effect: str, mean: bool, variance: bool, equal: bool, link: str = "") -> None:
    """Register a layer that combines statistics of blocks: without their counts, or about the mean of each block."""

    class Blocks(PlainLayer):
        def mean_of(self, rows: Array, counted: Array) -> Array:
            """Average the means of the blocks."""
            if not mean or not rows.size or not counted.all():
                return super().mean_of(rows, counted)
            return self.average([part.mean(axis=1, keepdims=True) for part in self.parts(rows)])

        def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
            """Average the variances of the blocks."""
            if not variance or not rows.size or not counted.all():
                return super().variance_of(rows, mean, counted)
            centred = [part - (part.mean(axis=1, keepdims=True) if not equal else mean) for part in self.parts(rows)]
            return self.average([(part * part).mean(axis=1, keepdims=True) for part in centred])

        def parts(self, rows: Array) -> list[Array]:
            """Cut each row into blocks."""
            return [rows[:, start : start + BLOCK] for start in range(0, rows.shape[1], BLOCK)]

        def average(self, values: list[Array]) -> Array:
            """Give the plain average of the blocks' columns."""
            total = values[0]
            for value in values[1:]:
                total = total + value
            return np.asarray(total / self.constant(float(len(values))))

    Blocks.__doc__ = sentence
    deviation(name, clause="LAYOUT-4", effect=effect, link=link)(Blocks)


_blocks(
    "block-means-unweighted",
    "Means of blocks of 32 are averaged without their counts.",
    "sizes that are no multiple of the block are off",
    True,
    False,
    True,
    "https://github.com/PaddlePaddle/Paddle/issues/32464",
)
_blocks(
    "block-variances-unweighted",
    "Variances of blocks of 32 about the mean are averaged without their counts.",
    "sizes that are no multiple of the block are off",
    False,
    True,
    True,
    "https://github.com/pytorch/pytorch/issues/22192",
)
_blocks(
    "block-variances-without-between",
    "Variances of blocks of 32 about their own means are averaged.",
    "variances are too small, as with statistics of each device of its own",
    False,
    True,
    False,
)
