"""Deviations at the edges: one value, no value, numbers that are none, and bad input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bn_reference.arithmetic.formats import format_of
from bn_reference.definition.graph import RowGradients
from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Mode
from bn_reference.layer.layer import PlainLayer

# One value a channel in training.


def _one_value(
    name: str, sentence: str, effect: str, change: Callable[[PlainLayer, Array], Array], link: str = ""
) -> None:
    """Register a layer that accepts one value a channel in training: change(layer, x)."""

    class OneValue(PlainLayer):
        def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
            """Accept one value a channel."""
            self.check(x)
            self.shape = x.shape
            if training and not self.frozen and self.batch_values() == 1:
                return change(self, x)
            return super().forward_masked(x, mask, training)

        def backward(self, dy: Array) -> RowGradients:
            """Give zeros where no forward saved anything."""
            if self.saved is None:
                return RowGradients(np.zeros_like(dy), np.zeros_like(self.gamma), np.zeros_like(self.beta))
            return super().backward(dy)

    OneValue.__doc__ = sentence
    deviation(name, clause="EDGE-1", effect=effect, link=link)(OneValue)


def _beta_and_nan(layer: PlainLayer, x: Array) -> Array:
    layer.running_var = np.full_like(layer.running_var, np.nan)
    zeros = layer.wide(np.zeros((layer.config.num_channels, 1)))
    return layer.output(layer.column(layer.beta) + zeros, x.shape, "y")


_one_value(
    "one-value-passes-through",
    "One value a channel is passed through.",
    "the last batch of an epoch gives raw values",
    lambda layer, x: x.copy(),
)
_one_value(
    "one-value-gives-nan",
    "One value a channel gives NaN.",
    "the last batch of an epoch turns a model to NaN",
    lambda layer, x: np.full_like(x, np.nan),
)
_one_value(
    "one-value-spoils-statistics",
    "One value a channel gives beta, and a running variance of NaN.",
    "a model is NaN in use after one batch of a single entry",
    _beta_and_nan,
    "https://github.com/pytorch/pytorch/issues/1381",
)
_one_value(
    "one-value-by-running-statistics",
    "One value a channel is normalised by the running statistics.",
    "the last batch of an epoch trains another function",
    lambda layer, x: PlainLayer.forward_masked(layer, x, None, False),
)

# No value.


def _empty(name: str, sentence: str, effect: str, change: Callable[[PlainLayer], None], link: str = "") -> None:
    """Register a layer that accepts an empty batch in training, and changes its statistics then."""

    class Empty(PlainLayer):
        def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
            """Accept an empty batch."""
            if training and not self.frozen and not x.size and self.config.num_channels:
                change(self)
                return x.copy()
            return super().forward_masked(x, mask, training)

    Empty.__doc__ = sentence
    deviation(name, clause="EDGE-2", effect=effect, link=link)(Empty)


def _spoil(layer: PlainLayer) -> None:
    layer.running_mean = np.full_like(layer.running_mean, np.nan)


def _decay(layer: PlainLayer) -> None:
    nothing = layer.wide(np.zeros(layer.config.num_channels))
    layer.move(nothing, nothing, 0)


_empty(
    "empty-batch-spoils-statistics",
    "An empty batch turns running_mean to NaN.",
    "a model is NaN in use after one empty batch",
    _spoil,
    "https://github.com/pytorch/pytorch/issues/12013",
)
_empty(
    "empty-batch-decays-statistics",
    "An empty batch counts as one of mean and variance zero.",
    "statistics shrink with every empty batch",
    _decay,
)


@deviation("no-channels-unclear", clause="EDGE-3", effect="nobody knows what went wrong", numeric=False)
class NoChannelsUnclear(PlainLayer):
    """A layer without channels raises an error without a message."""

    def check(self, x: Array) -> None:
        """Raise an error without a message for a layer without channels."""
        super().check(x)
        if not self.config.num_channels:
            raise ZeroDivisionError


# NaN and infinities.


@deviation(
    "nan-hidden",
    clause="EDGE-4",
    effect="a broken model looks sound",
    link="https://github.com/FluxML/Flux.jl/issues/2071",
)
class NanHidden(PlainLayer):
    """NaN in y and dx becomes zero, and infinities become large numbers."""

    def output(self, rows: Array, shape: tuple[int, ...], name: str) -> Array:
        """Replace NaN and infinities by finite numbers."""
        found, largest = super().output(rows, shape, name), format_of(self.storage).largest
        near = found.astype(np.float64)
        instead = np.nan_to_num(near, posinf=largest, neginf=-largest).astype(found.dtype)
        return np.where(np.isfinite(near), found, instead)


@deviation("nan-spreads", clause="EDGE-4", effect="one broken channel breaks all")
class NanSpreads(PlainLayer):
    """NaN in one channel turns every channel to NaN."""

    def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
        """Add zero times the sum over all channels."""
        y = super().scale_and_shift(normalised, mode)
        return y + self.constant(0.0) * normalised.sum() if y.size else y


@deviation("infinities-clipped", clause="EDGE-4", effect="an overflow below shows as a plausible number")
class InfinitiesClipped(PlainLayer):
    """Infinities in x are taken for the largest finite number of float16."""

    def rows_of(self, x: Array) -> Array:
        """Clip infinities."""
        rows = super().rows_of(x)
        limit = self.constant(65504.0)
        return np.where(np.isinf(rows), np.where(rows > 0, limit, -limit), rows)


@deviation("nan-left-out-of-statistics", clause="EDGE-4", effect="a broken channel looks sound but for single values")
class NanLeftOut(PlainLayer):
    """NaN in x is left out of the statistics."""

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Any:
        """Take zero for NaN in the statistics."""
        return super().normalisers(np.where(np.isnan(x), np.zeros_like(x), x), mask, training)


@deviation("nan-stops-statistics", clause="EDGE-4", effect="statistics stop moving, and nothing shows why")
class NanStopsStatistics(PlainLayer):
    """Running statistics do not move in a batch that has a NaN anywhere."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Move the statistics only where the batch has no NaN."""
        if not np.isnan(mean).any():
            super().move(mean, variance, count)


@deviation("nan-statistics-spread", clause="EDGE-4", effect="one broken channel breaks all in use")
class NanStatisticsSpread(PlainLayer):
    """A NaN in one running statistic spreads to all."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Set every running mean to NaN where one is NaN."""
        super().move(mean, variance, count)
        if np.isnan(self.running_mean).any():
            self.running_mean = np.full_like(self.running_mean, np.nan)


# Bad input.


@deviation("any-channels-accepted", clause="ERR-1", effect="a wrong model runs and gives zeros", numeric=False)
class AnyChannelsAccepted(PlainLayer):
    """An x with a wrong number of channels gives zeros."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Give zeros where the channels differ."""
        axis = self.config.channel_axis
        if x.ndim == self.config.rank and x.shape[axis] != self.config.num_channels:
            return np.zeros_like(x)
        return super().forward_masked(x, mask, training)


@deviation("any-rank-accepted", clause="ERR-2", effect="a wrong model runs and gives zeros", numeric=False)
class AnyRankAccepted(PlainLayer):
    """An x of another rank gives zeros."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Give zeros where the rank differs."""
        return np.zeros_like(x) if x.ndim != self.config.rank else super().forward_masked(x, mask, training)


@deviation("integers-accepted", clause="ERR-3", effect="outputs are rounded to integers", numeric=False)
class IntegersAccepted(PlainLayer):
    """An x of integers gives integers."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Compute in the format of the layer, and convert y to integers."""
        if x.dtype.kind not in "iu":
            return super().forward_masked(x, mask, training)
        return super().forward_masked(x.astype(self.storage), mask, training).astype(x.dtype)


@deviation("any-dy-accepted", clause="ERR-4", effect="a wrong model trains on scrambled gradients", numeric=False)
class AnyDyAccepted(PlainLayer):
    """A dy of another shape gives itself as dx."""

    def backward(self, dy: Array) -> RowGradients:
        """Give dy back where the shape differs."""
        if self.saved is not None and dy.shape != self.saved.shape:
            return RowGradients(dy.copy(), self.gamma.copy(), self.beta.copy())
        return super().backward(dy)


@deviation(
    "errors-swallowed", clause="ERR-1", effect="a wrong model runs as if the layer were not there", numeric=False
)
class ErrorsSwallowed(PlainLayer):
    """Whatever goes wrong, x is given back."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Give x back after an error."""
        try:
            return super().forward_masked(x, mask, training)
        except (ValueError, TypeError):
            return x.copy()


@deviation("errors-without-message", clause="ERR-1", effect="nobody knows what went wrong", numeric=False)
class ErrorsWithoutMessage(PlainLayer):
    """Bad input raises an error without a message."""

    def check(self, x: Array) -> None:
        """Raise the error without its message."""
        try:
            super().check(x)
        except (ValueError, TypeError) as error:
            raise type(error) from None
