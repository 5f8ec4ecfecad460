"""Deviations of layout: other axes, memory that is read wrongly, and sizes that are no multiple of a block."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bn_reference.arithmetic.channels import channels_first, per_channel
from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Mode
from bn_reference.layer.layer import PlainLayer

# Axes that are reduced.


def _over(name: str, sentence: str, effect: str, axes: tuple[int, ...], clause: str = "FWD-1", link: str = "") -> None:
    """Register a layer that reduces some axes of rows in three axes: channels, entries of the batch, pixels."""

    class Over(PlainLayer):
        def mean_of(self, rows: Array, counted: Array) -> Array:
            """Average over those axes."""
            return self.reduced(rows, counted, super().mean_of(rows, counted))

        def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
            """Average the squares over those axes."""
            return self.reduced((rows - mean) * (rows - mean), counted, super().variance_of(rows, mean, counted))

        def reduced(self, values: Array, counted: Array, usual: Array) -> Array:
            """Give each value the mean over those axes."""
            if not values.size or not counted.all():
                return usual
            cube = values.reshape(values.shape[0], self.shape[0], -1)
            total = cube
            for axis in axes:
                total = total.sum(axis=axis, keepdims=True)
            total = total / self.constant(float(cube.size // total.size))
            return np.asarray(total + cube * self.constant(0.0)).reshape(values.shape)

    Over.__doc__ = sentence
    deviation(name, clause=clause, effect=effect, link=link)(Over)


_over(
    "statistics-per-sample",
    "Every entry of the batch has statistics of its own, as in instance normalisation.",
    "brightness and contrast of each image are lost",
    (2,),
)
_over(
    "statistics-per-pixel",
    "Statistics are taken over the batch axis alone, so that every pixel has its own.",
    "a shifted image gives another result",
    (1,),
    "LAYOUT-1",
    "https://github.com/Nico-Curti/NumPyNet/issues/7",
)
_over(
    "statistics-of-all-channels",
    "All channels share one mean and one variance.",
    "channels of small variance vanish beside large ones",
    (0, 1, 2),
)
_over(
    "statistics-per-layer-and-sample",
    "Statistics are taken over channels and pixels, as in layer normalisation.",
    "channels of small variance vanish beside large ones",
    (0, 2),
)


@deviation(
    "statistics-of-channel-pairs", clause="FWD-1", effect="two channels share their scale, as in group normalisation"
)
class StatisticsOfChannelPairs(PlainLayer):
    """Two neighbouring channels share a mean and a variance."""

    def mean_of(self, rows: Array, counted: Array) -> Array:
        """Average the means of each pair."""
        return self.paired(super().mean_of(rows, counted))

    def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
        """Average the variances of each pair."""
        return self.paired(super().variance_of(rows, mean, counted))

    def paired(self, column: Array) -> Array:
        """Give each pair its mean; a last channel without partner keeps its own."""
        order = np.arange(column.shape[0])
        partner = np.minimum(order ^ 1, max(column.shape[0] - 1, 0))
        return np.asarray((column + column[partner]) / self.constant(2.0))


# The channel axis.


def _axis(
    name: str, sentence: str, effect: str, choose: Callable[[PlainLayer, Array], int], clause: str, link: str = ""
) -> None:
    """Register a layer that takes another axis for the channels, where its size allows it."""

    class Axis(PlainLayer):
        def axis(self, x: Array) -> int:
            """Give the other axis, where it has as many entries as there are channels."""
            other = choose(self, x)
            return other if x.shape[other] == self.config.num_channels else super().axis(x)

    Axis.__doc__ = sentence
    deviation(name, clause=clause, effect=effect, link=link)(Axis)


_FITS = "models whose images are as large as their channels are many are wrong, and no others"
_axis(
    "channels-first-of-that-size",
    "The first axis behind the batch of that length holds the channels.",
    _FITS,
    lambda layer, x: (
        (1 + list(x.shape[1:]).index(layer.config.num_channels)) if layer.config.num_channels in x.shape[1:] else 1
    ),
    "LAYOUT-2",
)
_axis(
    "channels-last-of-that-size",
    "The last axis of that length holds the channels.",
    _FITS,
    lambda layer, x: (
        x.ndim - 1 - list(x.shape[:0:-1]).index(layer.config.num_channels)
        if layer.config.num_channels in x.shape[1:]
        else 1
    ),
    "LAYOUT-1",
    "https://github.com/sharathadavanne/seld-dcase2021/issues/8",
)
_axis(
    "channels-on-batch-axis",
    "The batch axis holds the channels where it is as long as there are channels.",
    "batches of one size are wrong, and no others",
    lambda layer, x: 0,
    "LAYOUT-1",
)


def _along(name: str, sentence: str, choose: Callable[[PlainLayer], int], statistics: bool, link: str = "") -> None:
    """Register a layer that broadcasts gamma and beta, or its statistics, along another axis that is as long."""

    class Along(PlainLayer):
        def spread(self, column: Array) -> Array:
            """Spread a column along the other axis, as rows; give the column itself where the sizes differ."""
            shape, other = self.shape, choose(self)
            if not column.size or shape[other] != column.shape[0] or other == self.config.channel_axis:
                return column
            values = per_channel(column[:, 0], len(shape), other)
            full = values + np.zeros(shape, column.dtype)
            return channels_first(full, self.config.channel_axis)

        def mean_of(self, rows: Array, counted: Array) -> Array:
            """Spread the mean along the other axis."""
            mean = super().mean_of(rows, counted)
            return self.spread(mean) if statistics else mean

        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """Scale and shift with parameters along the other axis."""
            if statistics:
                return super().scale_and_shift(normalised, mode)
            gamma, beta = self.spread(self.column(self.gamma)), self.spread(self.column(self.beta))
            return np.asarray(gamma * normalised + beta)

    Along.__doc__ = sentence
    deviation(name, clause="LAYOUT-2", effect=_FITS, link=link)(Along)


_along(
    "parameters-along-last-axis",
    "gamma and beta are broadcast along the last axis where it is as long.",
    lambda layer: len(layer.shape) - 1,
    False,
    "https://github.com/jax-ml/jax/issues/461",
)
_along(
    "parameters-along-batch-axis",
    "gamma and beta are broadcast along the batch axis where it is as long.",
    lambda layer: 0,
    False,
)
_along(
    "parameters-along-axis-one",
    "gamma and beta are broadcast along axis 1 where it is as long.",
    lambda layer: 1,
    False,
)
_along(
    "mean-along-last-axis",
    "The mean is broadcast along the last axis where it is as long.",
    lambda layer: len(layer.shape) - 1,
    True,
)
