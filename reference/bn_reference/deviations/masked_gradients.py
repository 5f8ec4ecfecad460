"""Deviations of gradients with a mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Saved
from bn_reference.layer.layer import PlainLayer

# Backward.

_SLOW = "training on padded data converges worse, and nothing else shows"


@deviation("dx-mask-ignored", clause="MASK-3", effect=_SLOW)
class DxMaskIgnored(PlainLayer):
    """dx has the terms of mean and variance at every position, counted or not."""

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Subtract both terms at every position."""
        if saved.mode == "inference":
            return super().dx(dy, normalised, saved)
        through = self.mean_term(dy, saved) + self.variance_term(dy, normalised, saved)
        return np.asarray(self.outer_scale(saved) * (dy - through))


@deviation("dx-divides-by-all", clause="MASK-3", effect=_SLOW)
class DxDividesByAll(PlainLayer):
    """The terms of mean and variance in dx are divided by the number of all positions."""

    def _share(self, saved: Saved) -> Any:
        return self.constant(float(saved.counted.sum()) / max(saved.counted.size, 1))

    def mean_term(self, dy: Array, saved: Saved) -> Array:
        """Divide by the number of all positions."""
        return np.asarray(super().mean_term(dy, saved) * self._share(saved))

    def variance_term(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Divide by the number of all positions."""
        return np.asarray(super().variance_term(dy, normalised, saved) * self._share(saved))


def _of_counted(name: str, sentence: str, change: Callable[[PlainLayer, Array, Saved], Array], parts: str) -> None:
    """Register a layer whose backward takes another dy, change(layer, dy, saved), for some of its results."""

    class OfCounted(PlainLayer):
        def _changed(self, dy: Array, part: str) -> Array:
            return change(self, dy, self.saved) if part in parts and self.saved is not None else dy

        def dgamma(self, dy: Array, normalised: Array) -> Array:
            """Sum over the changed dy, where dgamma is concerned."""
            return super().dgamma(self._changed(dy, "gamma"), normalised)

        def dbeta(self, dy: Array) -> Array:
            """Sum over the changed dy, where dbeta is concerned."""
            return super().dbeta(self._changed(dy, "beta"))

        def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
            """Compute dx from the changed dy, where dx is concerned."""
            return super().dx(self._changed(dy, "dx"), normalised, saved)

        def mean_term(self, dy: Array, saved: Saved) -> Array:
            """Compute the term from the changed dy, where the terms are concerned."""
            return super().mean_term(self._changed(dy, "terms"), saved)

        def variance_term(self, dy: Array, normalised: Array, saved: Saved) -> Array:
            """Compute the term from the changed dy, where the terms are concerned."""
            return super().variance_term(self._changed(dy, "terms"), normalised, saved)

    OfCounted.__doc__ = sentence
    deviation(name, clause="MASK-3", effect=_SLOW)(OfCounted)


def _visible(layer: PlainLayer, dy: Array, saved: Saved) -> Array:
    return np.where(saved.counted, dy, layer.constant(0.0)) if saved.mode == "training" else dy


_of_counted("dgamma-of-counted", "dgamma is over the counted positions alone.", _visible, "gamma")
_of_counted("dbeta-of-counted", "dbeta is over the counted positions alone.", _visible, "beta")
_of_counted("dx-zero-where-masked", "dx is that of a dy that is 0 where positions do not count.", _visible, "dx")
_of_counted(
    "dx-terms-of-counted",
    "The terms of mean and variance in dx are sums over the counted positions alone.",
    _visible,
    "terms",
)


@deviation("dx-mask-past-statistics", clause="MASK-3", effect=_SLOW)
class DxMaskPastStatistics(PlainLayer):
    """With a mask, dx treats the statistics as constants."""

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Compute dx as in inference, with a mask."""
        hidden = not bool(saved.counted.all())
        return super().dx(dy, normalised, replace(saved, mode="inference") if hidden else saved)
