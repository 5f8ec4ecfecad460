"""Deviations of a scale that is a function of gamma, differentiated as a framework does it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Mode, Saved
from bn_reference.layer.layer import PlainLayer


def _differentiated(
    name: str, sentence: str, effect: str, scale: Callable[[Array], Array], slope: Callable[[Array], Array]
) -> None:
    """Register a layer whose scale is scale(gamma), with a gradient to match: slope(gamma) is the derivative."""

    class Differentiated(PlainLayer):
        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """Scale by the function of gamma."""
            return np.asarray(scale(self.column(self.gamma)) * normalised + self.column(self.beta))

        def outer_scale(self, saved: Saved) -> Array:
            """The same scale in dx."""
            return np.asarray(scale(saved.gamma) * saved.inverse)

        def dgamma(self, dy: Array, normalised: Array) -> Array:
            """By the chain rule."""
            kept = self.column(self.gamma) if self.saved is None else self.saved.gamma
            return np.asarray(super().dgamma(dy, normalised) * slope(kept))

    Differentiated.__doc__ = sentence
    deviation(name, clause="FWD-3", effect=effect)(Differentiated)


_differentiated(
    "gamma-absolute-throughout",
    "The absolute value of gamma is applied, with a gradient to match.",
    "channels of negative gamma come out mirrored, whatever they learn",
    np.abs,
    np.sign,
)
_differentiated(
    "gamma-plus-one-throughout",
    "The scale is 1 + gamma, with a gradient to match.",
    "weights of another library, and those that are loaded from it, fit no more",
    lambda gamma: np.asarray(gamma + gamma.dtype.type(1)),
    np.ones_like,
)
_differentiated(
    "gamma-made-positive-throughout",
    "A gamma below zero is taken for zero, with a gradient to match.",
    "channels whose gamma was once below zero are constant for ever",
    lambda gamma: np.where(gamma < 0, np.zeros_like(gamma), gamma),
    lambda gamma: np.where(gamma > 0, np.ones_like(gamma), np.zeros_like(gamma)),
)
