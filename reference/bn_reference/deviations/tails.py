"""Deviations of sizes that are no multiple of a block: tails that are dropped, or done twice."""

from __future__ import annotations

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Mode
from bn_reference.layer.layer import PlainLayer

# Sizes.


def _tail(block: int) -> None:
    """Register a layer that leaves the values behind the last full block out of its sums."""

    class Tail(PlainLayer):
        def total(self, rows: Array, purpose: str) -> Array:
            """Leave the values behind the last full block out."""
            full = rows.shape[1] // block * block
            return super().total(rows[:, :full] if full and purpose in ("mean", "variance") else rows, purpose)

    Tail.__doc__ = f"Values behind the last full block of {block} are left out of the mean and the variance."
    deviation(f"tail-of-{block}-dropped", clause="LAYOUT-4", effect="sizes that are no multiple of the block are off")(
        Tail
    )


def _first_channels(block: int) -> None:
    """Register a layer that writes so many channels, and leaves zeros in all others."""

    class FirstChannels(PlainLayer):
        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """Give zeros behind the first channels."""
            y = super().scale_and_shift(normalised, mode)
            behind = np.arange(y.shape[0])[:, None] >= block
            return np.where(behind, self.constant(0.0), y)

    FirstChannels.__doc__ = f"Channels from the {block + 1}th on are not written."
    deviation(f"channels-beyond-{block}-not-written", clause="LAYOUT-4", effect="wide layers are silent in part")(
        FirstChannels
    )


def _channel_tail(block: int) -> None:
    """Register a layer that gives the channels behind the last full block the means of the block before."""

    class ChannelTail(PlainLayer):
        def mean_of(self, rows: Array, counted: Array) -> Array:
            """Give the channels behind the last full block the means of the block before."""
            mean = super().mean_of(rows, counted)
            full = mean.shape[0] // block * block
            order = np.arange(mean.shape[0])
            return mean[np.where(order >= full, order - block, order)] if full else mean

    ChannelTail.__doc__ = f"Channels behind the last full block of {block} take the mean of the block before."
    link = "https://github.com/NVIDIA/apex/issues/1768" if block == 16 else ""
    deviation(
        f"channel-tail-of-{block}",
        clause="LAYOUT-4",
        link=link,
        effect="numbers of channels that are no multiple of the block are off",
    )(ChannelTail)


def _output_tail(block: int) -> None:
    """Register a layer that leaves zeros in the outputs behind the last full block."""

    class OutputTail(PlainLayer):
        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """Give zeros behind the last full block."""
            y = super().scale_and_shift(normalised, mode)
            full = y.shape[1] // block * block
            return np.where(np.arange(y.shape[1])[None, :] >= (full or y.shape[1]), self.constant(0.0), y)

    OutputTail.__doc__ = f"Outputs behind the last full block of {block} are not written."
    deviation(f"output-tail-of-{block}-not-written", clause="LAYOUT-4", effect="the last pixels of odd sizes are zero")(
        OutputTail
    )


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
        """Add the values that fill the last block up a second time."""
        size, rest = rows.shape[1], rows.shape[1] % 16
        usual = super().total(rows, purpose)
        if size < 16 or not rest:
            return usual
        return usual + super().total(rows[:, size - 16 : size - rest], purpose)


@deviation("gradient-tail-dropped", clause="LAYOUT-4", effect="gradients of parameters are off at odd sizes")
class GradientTailDropped(PlainLayer):
    """Values behind the last full block of 8 are left out of dgamma and dbeta."""

    def total(self, rows: Array, purpose: str) -> Array:
        """Leave the values behind the last full block out of gradients."""
        full = rows.shape[1] // 8 * 8
        return super().total(rows[:, :full] if full and purpose in ("dgamma", "dbeta") else rows, purpose)


@deviation("pixel-tail-dropped", clause="LAYOUT-4", effect="images whose size is no multiple of 4 are off")
class PixelTailDropped(PlainLayer):
    """Pixels behind the last full block of 4 of each entry are left out of the mean."""

    def mean_of(self, rows: Array, counted: Array) -> Array:
        """Leave the pixels behind the last full block of each entry out."""
        entries = max(self.shape[0], 1)
        pixels = rows.shape[1] // entries
        kept = np.arange(rows.shape[1]) % max(pixels, 1) < (pixels // 4 * 4 or pixels)
        return super().mean_of(rows, counted & kept[None, :])
