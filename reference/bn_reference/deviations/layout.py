"""Deviations of layout: other axes, memory that is read wrongly, and sizes that are no multiple of a block."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bn_reference.arithmetic.channels import channels_first, per_channel
from bn_reference.deviations import deviation
from bn_reference.layer.layer import Array, Mode, PlainLayer

# Axes that are reduced.


def _over(name: str, sentence: str, effect: str, axes: tuple[int, ...], clause: str = "FWD-1", link: str = "") -> None:
    """Enter a layer that reduces some of the axes (channels, entries of the batch, pixels) of rows in three axes."""

    class Over(PlainLayer):
        def mean_of(self, rows: Array, counted: Array) -> Array:
            """Over those axes."""
            return self.reduced(rows, counted, super().mean_of(rows, counted))

        def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
            """Over those axes."""
            return self.reduced((rows - mean) * (rows - mean), counted, super().variance_of(rows, mean, counted))

        def reduced(self, values: Array, counted: Array, usual: Array) -> Array:
            """The mean over those axes, for each value."""
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


_over("statistics-per-sample", "Every entry of the batch has statistics of its own, as in instance normalisation.",
      "brightness and contrast of each image are lost", (2,))  # fmt: skip
_over("statistics-per-pixel", "Statistics are taken over the batch axis alone, so that every pixel has its own.",
      "a shifted image gives another result", (1,), "LAYOUT-1",
      "https://github.com/Nico-Curti/NumPyNet/issues/7")  # fmt: skip
_over("statistics-of-all-channels", "All channels share one mean and one variance.",
      "channels of small variance vanish beside large ones", (0, 1, 2))  # fmt: skip
_over("statistics-per-layer-and-sample", "Statistics are taken over channels and pixels, as in layer normalisation.",
      "channels of small variance vanish beside large ones", (0, 2))  # fmt: skip


@deviation(
    "statistics-of-channel-pairs", clause="FWD-1", effect="two channels share their scale, as in group normalisation"
)
class StatisticsOfChannelPairs(PlainLayer):
    """Two channels after each other share a mean and a variance."""

    def mean_of(self, rows: Array, counted: Array) -> Array:
        """Of pairs."""
        return self.paired(super().mean_of(rows, counted))

    def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
        """Of pairs."""
        return self.paired(super().variance_of(rows, mean, counted))

    def paired(self, column: Array) -> Array:
        """The mean of each pair; a last channel without partner keeps its own."""
        order = np.arange(column.shape[0])
        partner = np.minimum(order ^ 1, max(column.shape[0] - 1, 0))
        return np.asarray((column + column[partner]) / self.constant(2.0))


# The channel axis.


def _axis(name: str, sentence: str, effect: str, choose: Callable[[PlainLayer, Array], int], clause: str,
          link: str = "") -> None:  # fmt: skip
    """Enter a layer that takes another axis for the channels, where its size allows it."""

    class Axis(PlainLayer):
        def axis(self, x: Array) -> int:
            """The other one, if it is as long."""
            other = choose(self, x)
            return other if x.shape[other] == self.config.num_channels else super().axis(x)

    Axis.__doc__ = sentence
    deviation(name, clause=clause, effect=effect, link=link)(Axis)


_FITS = "models whose images are as large as their channels are many are wrong, and no others"
_axis("channels-first-of-that-size", "The first axis behind the batch of that length holds the channels.",
      _FITS, lambda layer, x: (1 + list(x.shape[1:]).index(layer.config.num_channels))
      if layer.config.num_channels in x.shape[1:] else 1, "LAYOUT-2")  # fmt: skip
_axis("channels-last-of-that-size", "The last axis of that length holds the channels.",
      _FITS, lambda layer, x: x.ndim - 1 - list(x.shape[:0:-1]).index(layer.config.num_channels)
      if layer.config.num_channels in x.shape[1:] else 1, "LAYOUT-1",
      "https://github.com/sharathadavanne/seld-dcase2021/issues/8")  # fmt: skip
_axis("channels-on-batch-axis", "The batch axis holds the channels where it is as long as there are channels.",
      "batches of one size are wrong, and no others", lambda layer, x: 0, "LAYOUT-1")  # fmt: skip


def _along(name: str, sentence: str, choose: Callable[[PlainLayer], int], statistics: bool, link: str = "") -> None:
    """Enter a layer that broadcasts gamma and beta, or its statistics, along another axis that is as long."""

    class Along(PlainLayer):
        def spread(self, column: Array) -> Array:
            """A column along the other axis, as rows; itself where the sizes differ."""
            shape, other = self.shape, choose(self)
            if not column.size or shape[other] != column.shape[0] or other == self.config.channel_axis:
                return column
            values = per_channel(column[:, 0], len(shape), other)
            full = values + np.zeros(shape, column.dtype)
            return channels_first(full, self.config.channel_axis)

        def mean_of(self, rows: Array, counted: Array) -> Array:
            """Along the other axis."""
            mean = super().mean_of(rows, counted)
            return self.spread(mean) if statistics else mean

        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """With parameters along the other axis."""
            if statistics:
                return super().scale_and_shift(normalised, mode)
            gamma, beta = self.spread(self.column(self.gamma)), self.spread(self.column(self.beta))
            return np.asarray(gamma * normalised + beta)

    Along.__doc__ = sentence
    deviation(name, clause="LAYOUT-2", effect=_FITS, link=link)(Along)


_along("parameters-along-last-axis", "gamma and beta are broadcast along the last axis where it is as long.",
       lambda layer: len(layer.shape) - 1, False, "https://github.com/jax-ml/jax/issues/461")  # fmt: skip
_along("parameters-along-batch-axis", "gamma and beta are broadcast along the batch axis where it is as long.",
       lambda layer: 0, False)  # fmt: skip
_along("parameters-along-axis-one", "gamma and beta are broadcast along axis 1 where it is as long.",
       lambda layer: 1, False)  # fmt: skip
_along("mean-along-last-axis", "The mean is broadcast along the last axis where it is as long.",
       lambda layer: len(layer.shape) - 1, True)  # fmt: skip


# Sizes.


def _tail(block: int) -> None:
    """Enter a layer that leaves the values behind the last full block out of its sums."""

    class Tail(PlainLayer):
        def total(self, rows: Array, purpose: str) -> Array:
            """Without the tail."""
            full = rows.shape[1] // block * block
            return super().total(rows[:, :full] if full and purpose in ("mean", "variance") else rows, purpose)

    Tail.__doc__ = f"Values behind the last full block of {block} are left out of the mean and the variance."
    deviation(f"tail-of-{block}-dropped", clause="LAYOUT-4", effect="sizes that are no multiple of the block are off")(
        Tail
    )


def _first_channels(block: int) -> None:
    """Enter a layer that processes so many channels and leaves the others as they are."""

    class FirstChannels(PlainLayer):
        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """Of the first ones; zero behind."""
            y = super().scale_and_shift(normalised, mode)
            behind = np.arange(y.shape[0])[:, None] >= block
            return np.where(behind, self.constant(0.0), y)

    FirstChannels.__doc__ = f"Channels from the {block + 1}th on are not written."
    deviation(f"channels-beyond-{block}-not-written", clause="LAYOUT-4", effect="wide layers are silent in part")(
        FirstChannels
    )


def _channel_tail(block: int) -> None:
    """Enter a layer that gives the channels behind the last full block the statistics of the block before."""

    class ChannelTail(PlainLayer):
        def mean_of(self, rows: Array, counted: Array) -> Array:
            """With neighbours' means at the end."""
            mean = super().mean_of(rows, counted)
            full = mean.shape[0] // block * block
            order = np.arange(mean.shape[0])
            return mean[np.where(order >= full, order - block, order)] if full else mean

    ChannelTail.__doc__ = f"Channels behind the last full block of {block} take the mean of the block before."
    link = "https://github.com/NVIDIA/apex/issues/1768" if block == 16 else ""
    deviation(f"channel-tail-of-{block}", clause="LAYOUT-4", link=link,
              effect="numbers of channels that are no multiple of the block are off")(ChannelTail)  # fmt: skip


def _output_tail(block: int) -> None:
    """Enter a layer that leaves the outputs behind the last full block zero."""

    class OutputTail(PlainLayer):
        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """Zero behind."""
            y = super().scale_and_shift(normalised, mode)
            full = y.shape[1] // block * block
            return np.where(np.arange(y.shape[1])[None, :] >= (full or y.shape[1]), self.constant(0.0), y)

    OutputTail.__doc__ = f"Outputs behind the last full block of {block} are not written."
    deviation(f"output-tail-of-{block}-not-written", clause="LAYOUT-4",
              effect="the last pixels of odd sizes are zero")(OutputTail)  # fmt: skip


for _block in (4, 8, 16, 32, 64, 128, 256, 1024):
    _tail(_block)
for _block in (8, 32, 64, 128, 256):
    _first_channels(_block)
for _block in (4, 16):
    _channel_tail(_block)
    _output_tail(_block)


@deviation("last-block-twice", clause="LAYOUT-4", effect="sizes that are no multiple of 16 are off")
class LastBlockTwice(PlainLayer):
    """The last block of 16 is filled up with values that were counted already."""

    def total(self, rows: Array, purpose: str) -> Array:
        """With values of the block before."""
        size, rest = rows.shape[1], rows.shape[1] % 16
        usual = super().total(rows, purpose)
        if size < 16 or not rest:
            return usual
        return usual + super().total(rows[:, size - 16 : size - rest], purpose)


@deviation("gradient-tail-dropped", clause="LAYOUT-4", effect="gradients of parameters are off at odd sizes")
class GradientTailDropped(PlainLayer):
    """Values behind the last full block of 8 are left out of dgamma and dbeta."""

    def total(self, rows: Array, purpose: str) -> Array:
        """Without the tail."""
        full = rows.shape[1] // 8 * 8
        return super().total(rows[:, :full] if full and purpose in ("dgamma", "dbeta") else rows, purpose)


@deviation("pixel-tail-dropped", clause="LAYOUT-4", effect="images whose size is no multiple of 4 are off")
class PixelTailDropped(PlainLayer):
    """Pixels behind the last full block of 4 of each entry are left out of the mean."""

    def mean_of(self, rows: Array, counted: Array) -> Array:
        """Without them."""
        entries = max(self.shape[0], 1)
        pixels = rows.shape[1] // entries
        kept = np.arange(rows.shape[1]) % max(pixels, 1) < (pixels // 4 * 4 or pixels)
        return super().mean_of(rows, counted & kept[None, :])
