"""Deviations of bad input that is made to fit: broadcast, cut, or read in another shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bn_reference.definition.graph import RowGradients
from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer

Shape = tuple[int, ...]


@deviation(
    "one-channel-broadcast",
    clause="ERR-1",
    effect="a wrong model runs, and has copies of one channel in all",
    numeric=False,
)
class OneChannelBroadcast(PlainLayer):
    """An x of one channel is repeated for every channel of the layer."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Repeat, where there is one."""
        axis = self.config.channel_axis
        if x.ndim == self.config.rank and x.shape[axis] == 1:
            x = np.repeat(x, self.config.num_channels, axis)
        return super().forward_masked(x, mask, training)


@deviation(
    "more-channels-cut", clause="ERR-1", effect="a wrong model runs, and loses channels without a word", numeric=False
)
class MoreChannelsCut(PlainLayer):
    """Of an x of more channels than the layer has the first are taken."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """The first."""
        axis, channels = self.config.channel_axis, self.config.num_channels
        if x.ndim == self.config.rank and x.shape[axis] > channels:
            x = np.take(x, range(channels), axis)
        return super().forward_masked(x, mask, training)


@deviation(
    "channels-by-size", clause="ERR-1", effect="a wrong model runs on channels that mix those of x", numeric=False
)
class ChannelsBySize(PlainLayer):
    """An x of other channels is read as one of the layer's, where its size in all can be divided by them."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """In another shape."""
        axis, channels = self.config.channel_axis, self.config.num_channels
        if x.ndim != self.config.rank or x.shape[axis] == channels or not x.size or x.size % channels:
            return super().forward_masked(x, mask, training)
        shape = [1] * x.ndim
        shape[0], shape[axis] = x.size // channels, channels
        return super().forward_masked(x.reshape(shape), mask, training).reshape(x.shape)


def _fitted(name: str, sentence: str, effect: str, fit: Callable[[Array, Shape], Array]) -> None:
    """Enter a layer that makes dy fit y: fit(dy, shape of y)."""

    class Fitted(PlainLayer):
        def backward(self, dy: Array) -> RowGradients:
            """Made to fit."""
            return super().backward(dy if self.saved is None else fit(dy, self.saved.shape))

    Fitted.__doc__ = sentence
    deviation(name, clause="ERR-4", effect=effect, numeric=False)(Fitted)


def _broadcast(dy: Array, shape: Shape) -> Array:
    """As NumPy broadcasts, where it can."""
    try:
        return np.broadcast_to(dy, shape)
    except ValueError:
        return dy


def _reshaped(dy: Array, shape: Shape) -> Array:
    """Read in the shape, where the size fits."""
    return dy.reshape(shape) if dy.size == np.prod(shape) else dy


def _cut(dy: Array, shape: Shape) -> Array:
    """The first entries of the batch, where there are more."""
    return dy[: shape[0]] if dy.shape[1:] == shape[1:] else dy


_fitted(
    "dy-broadcast", "A dy that can be broadcast to y is.", "a loss that forgets to reduce an axis trains on", _broadcast
)
_fitted(
    "dy-by-size",
    "A dy of as many values as y is read in the shape of y.",
    "a model with its axes in another order trains on scrambled gradients",
    _reshaped,
)
_fitted("dy-cut", "Entries of dy behind the last of the batch are ignored.", "a wrong batch goes unnoticed", _cut)


@deviation(
    "dy-by-rows", clause="ERR-4", effect="a model whose last axes were flattened trains all the same", numeric=False
)
class DyByRows(PlainLayer):
    """A dy with as many values a channel as y is taken, whatever its shape, and gives dx its own."""

    def backward(self, dy: Array) -> RowGradients:
        """By its rows."""
        saved, axis = self.saved, self.config.channel_axis
        if saved is not None and dy.ndim == self.config.rank and dy.shape[axis] == saved.shape[axis]:
            same = dy.size == np.prod(saved.shape)
            self.saved = replace(saved, shape=dy.shape) if same else saved
        return super().backward(dy)
