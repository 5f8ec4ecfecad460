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
        """Repeat an x of one channel."""
        axis = self.config.channel_axis
        if x.ndim == self.config.rank and x.shape[axis] == 1:
            x = np.repeat(x, self.config.num_channels, axis)
        return super().forward_masked(x, mask, training)


@deviation(
    "more-channels-cut", clause="ERR-1", effect="a wrong model runs, and loses channels without a word", numeric=False
)
class MoreChannelsCut(PlainLayer):
    """Where x has more channels than the layer, the first ones are used."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Take as many channels as the layer has."""
        axis, channels = self.config.channel_axis, self.config.num_channels
        if x.ndim == self.config.rank and x.shape[axis] > channels:
            x = np.take(x, range(channels), axis)
        return super().forward_masked(x, mask, training)


@deviation(
    "channels-by-size", clause="ERR-1", effect="a wrong model runs on channels that mix those of x", numeric=False
)
class ChannelsBySize(PlainLayer):
    """An x with a wrong number of channels is read in a shape with the right number, where its size allows it."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Read x in a shape that has the layer's channels."""
        axis, channels = self.config.channel_axis, self.config.num_channels
        if x.ndim != self.config.rank or x.shape[axis] == channels or not x.size or x.size % channels:
            return super().forward_masked(x, mask, training)
        shape = [1] * x.ndim
        shape[0], shape[axis] = x.size // channels, channels
        return super().forward_masked(x.reshape(shape), mask, training).reshape(x.shape)


def _fitted(name: str, sentence: str, effect: str, fit: Callable[[Array, Shape], Array]) -> None:
    """Register a layer that makes dy fit y: fit(dy, shape of y)."""

    class Fitted(PlainLayer):
        def backward(self, dy: Array) -> RowGradients:
            """Make dy fit before the backward."""
            return super().backward(dy if self.saved is None else fit(dy, self.saved.shape))

    Fitted.__doc__ = sentence
    deviation(name, clause="ERR-4", effect=effect, numeric=False)(Fitted)


def _broadcast(dy: Array, shape: Shape) -> Array:
    """Broadcast dy as NumPy does, where it can."""
    try:
        return np.broadcast_to(dy, shape)
    except ValueError:
        return dy


def _reshaped(dy: Array, shape: Shape) -> Array:
    """Read dy in the shape of y, where both have the same size."""
    return dy.reshape(shape) if dy.size == np.prod(shape) else dy


def _cut(dy: Array, shape: Shape) -> Array:
    """Take the first entries of dy, where it has more than y."""
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
    """A dy with as many values a channel as y is accepted, whatever its shape, and dx gets that shape."""

    def backward(self, dy: Array) -> RowGradients:
        """Take dy for a gradient of the shape that it has."""
        saved, axis = self.saved, self.config.channel_axis
        if saved is not None and dy.ndim == self.config.rank and dy.shape[axis] == saved.shape[axis]:
            same = dy.size == np.prod(saved.shape)
            self.saved = replace(saved, shape=dy.shape) if same else saved
        return super().backward(dy)
