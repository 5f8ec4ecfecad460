"""Mistakes with input of a wrong shape: it is made to fit."""

from __future__ import annotations

import numpy as np
from tests.support.good_numpy import GoodLayer
from tests.support.mistakes.mistake import caught_by

from bn_conformance.adapter import Array, Gradients


@caught_by("ERR-1")
class OneChannelIsRepeated(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        axis = self.config.channel_axis
        one = x.ndim == self.config.rank and x.shape[axis] == 1
        return super().forward(np.repeat(x, self.config.num_channels, axis) if one else x, training)


@caught_by("ERR-1")
class FirstChannelsAreTaken(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        axis, channels = self.config.channel_axis, self.config.num_channels
        more = x.ndim == self.config.rank and x.shape[axis] > channels
        return super().forward(np.take(x, range(channels), axis) if more else x, training)


@caught_by("ERR-1")
class ReshapesWhatCanBeDivided(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        axis, channels = self.config.channel_axis, self.config.num_channels
        if x.ndim < 3 or x.ndim != self.config.rank or x.shape[axis] == channels or x.size % channels:
            return super().forward(x, training)
        shape = [1] * x.ndim
        shape[0], shape[axis] = x.size // channels, channels
        return super().forward(x.reshape(shape), training).reshape(x.shape)


@caught_by("ERR-4")
class DyIsBroadcast(GoodLayer):
    def backward(self, dy: Array) -> Gradients:
        fits = all(size in (1, wanted) for size, wanted in zip(dy.shape, self.shape, strict=True))
        return super().backward(np.broadcast_to(dy, self.shape) if fits else dy)


@caught_by("ERR-4")
class DyOfTheSameSizeIsReshaped(GoodLayer):
    def backward(self, dy: Array) -> Gradients:
        return super().backward(dy.reshape(self.shape) if dy.size == np.prod(self.shape) else dy)


@caught_by("ERR-4")
class LongerDyIsCut(GoodLayer):
    def backward(self, dy: Array) -> Gradients:
        return super().backward(dy[: self.shape[0]])


@caught_by("ERR-4")
class DyIsComparedByRows(GoodLayer):
    def check_dy(self, dy: Array) -> None:
        if self.latest is not None and self._rows(dy).shape != self.latest[0].shape:
            raise ValueError(f"dy has shape {dy.shape}; y had {self.shape}")
