"""Deviations of what lies between calls: changes behind a forward reach its backward, and changes before one do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bn_reference.definition.graph import RowGradients
from bn_reference.definition.second_order import RowSecondOrder
from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Mode, Saved
from bn_reference.layer.layer import PlainLayer

# Between a forward and its backward.

_LATE = "gradients are off where parameters or statistics are moved before the backward, as in pipelined training"


@deviation("backward-by-gamma-of-now", clause="STATE-8", effect=_LATE)
class BackwardByGammaOfNow(PlainLayer):
    """Backward scales dx by gamma as it is at the backward, not at the forward."""

    def outer_scale(self, saved: Saved) -> Array:
        """The outer factor of dx with the current gamma."""
        return np.asarray(self.column(self.gamma) * saved.inverse)


@deviation("second-order-by-gamma-of-now", clause="STATE-8", effect=_LATE)
class SecondOrderByGammaOfNow(PlainLayer):
    """The second order takes gamma as it is when it is asked for, not at the forward."""

    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> RowSecondOrder:
        """The second order with the current gamma."""
        self.saved = replace(self.saved, gamma=self.column(self.gamma)) if self.saved is not None else None
        return super().double_backward(dy, v_dx, v_dgamma, v_dbeta)


@deviation("inference-gradient-by-mean-of-now", clause="STATE-8", effect=_LATE)
class InferenceGradientByMeanOfNow(PlainLayer):
    """dgamma of inference uses the running mean as it is at the backward, not at the forward."""

    def backward(self, dy: Array) -> RowGradients:
        """The gradients with the current running mean."""
        saved = self.saved
        if saved is not None and saved.mode == "inference":
            self.saved = replace(saved, mean=self.column(self.running_mean))
        return super().backward(dy)


@deviation("inference-gradient-by-variance-of-now", clause="STATE-8", effect=_LATE)
class InferenceGradientByVarianceOfNow(PlainLayer):
    """Gradients of inference use the running variance as it is at the backward, not at the forward."""

    def backward(self, dy: Array) -> RowGradients:
        """The gradients with the current running variance."""
        saved = self.saved
        if saved is not None and saved.mode == "inference":
            self.saved = replace(saved, inverse=self.normaliser(self.column(self.running_var), "inference"))
        return super().backward(dy)


@deviation("load-reaches-saved-gamma", clause="STATE-8", effect=_LATE)
class LoadReachesSavedGamma(PlainLayer):
    """A state that is loaded changes the gamma that the latest forward left for its backward."""

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Load the state, also for the backward to come."""
        super().load_state(state)
        if self.saved is not None:
            self.saved = replace(self.saved, gamma=self.column(self.gamma))


@deviation("load-spoils-saved-deviation", clause="STATE-8", effect=_LATE)
class LoadSpoilsSavedDeviation(PlainLayer):
    """A state that is loaded leaves 1 in the inverse deviation that the latest forward left for its backward."""

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Load the state, and spoil what the forward saved."""
        super().load_state(state)
        if self.saved is not None:
            self.saved = replace(self.saved, inverse=np.ones_like(self.saved.inverse))


@deviation("freeze-reaches-saved-forward", clause="STATE-8", effect="the last gradient before freezing is off")
class FreezeReachesSavedForward(PlainLayer):
    """Freezing turns the backward of an earlier training forward into one of inference."""

    def freeze(self) -> None:
        """Freeze the layer, also for the backward to come."""
        super().freeze()
        self.saved = replace(self.saved, mode="inference") if self.saved is not None else None


# A backward after another.


@deviation(
    "second-backward-moves",
    clause="STAT-4",
    effect="running statistics follow too fast where gradients are asked for twice",
)
class SecondBackwardMoves(PlainLayer):
    """Every backward of a training forward but the first moves the running statistics once more."""

    done: Saved | None = None

    def backward(self, dy: Array) -> RowGradients:
        """Give the gradients, and move the running statistics."""
        gradients, saved = super().backward(dy), self.saved
        if saved is not None and saved.mode == "training" and saved is self.done:
            variance = self.variance_of(saved.rows, saved.mean, saved.counted)
            self.move(saved.mean.mean(axis=1), variance.mean(axis=1), int(saved.counted.sum()))
        self.done = saved
        return gradients


def _spoiling(name: str, sentence: str, clause: str, in_double_backward: bool) -> None:
    """Register a layer that spoils what its forward saved, in double_backward or else in backward."""

    class Spoiling(PlainLayer):
        def spoil(self) -> None:
            """Scale the inverse deviation that the forward saved."""
            saved = self.saved
            self.saved = None if saved is None else replace(saved, inverse=saved.inverse * self.constant(1.01))

        def backward(self, dy: Array) -> RowGradients:
            """Give the right gradients, then spoil what was saved."""
            gradients = super().backward(dy)
            if not in_double_backward:
                self.spoil()
            return gradients

        def double_backward(
            self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None
        ) -> RowSecondOrder:
            """Give the right gradients, then spoil what was saved."""
            gradients = super().double_backward(dy, v_dx, v_dgamma, v_dbeta)
            if in_double_backward:
                self.spoil()
            return gradients

    Spoiling.__doc__ = sentence
    deviation(name, clause=clause, effect="gradients that are asked for twice differ")(Spoiling)


_spoiling(
    "backward-spoils-saved",
    "A backward leaves another inverse deviation for the next one of its forward.",
    "GRAD-1",
    False,
)
_spoiling(
    "second-order-spoils-saved",
    "A second order leaves another inverse deviation for the next backward.",
    "GRAD-1",
    True,
)


# Inference that is folded once and kept under a key.


def _kept(name: str, sentence: str, key: Callable[[tuple[Array, ...]], Any]) -> None:
    """Register a layer that keeps its folded inference under key((gamma, beta, mean, variance))."""

    class Kept(PlainLayer):
        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """Give y by the scale and shift in the cache, in inference."""
            y, saved = super().scale_and_shift(normalised, mode), self.saved
            if mode == "training" or saved is None or not self.config.num_channels:
                return y
            scale = self.column(self.gamma) * saved.inverse
            current_key = key((self.gamma, self.beta, self.running_mean, self.running_var))
            cache = vars(self).setdefault("cache", {})
            if current_key not in cache:
                cache.clear()
                cache[current_key] = scale, self.column(self.beta) - saved.mean * scale
                return y
            scale, shift = cache[current_key]
            return np.asarray(scale * saved.rows + shift)

    Kept.__doc__ = sentence
    deviation(name, clause="STATE-6", effect="a change that the key does not show changes no output in use")(Kept)


def _bytes(vectors: tuple[Array, ...]) -> tuple[bytes, ...]:
    return tuple(vector.tobytes() for vector in vectors)


_kept(
    "folded-by-sums",
    "Inference is folded again only where the sum of a vector has changed.",
    lambda vectors: tuple(float(vector.astype(np.float64).sum()) for vector in vectors),
)
_kept(
    "folded-by-first-channel",
    "Inference is folded again only where the first channel has changed.",
    lambda vectors: _bytes(tuple(vector[:1] for vector in vectors)),
)
_kept(
    "folded-by-last-channel",
    "Inference is folded again only where the last channel has changed.",
    lambda vectors: _bytes(tuple(vector[-1:] for vector in vectors)),
)


def _without(place: int) -> Callable[[tuple[Array, ...]], tuple[bytes, ...]]:
    return lambda vectors: _bytes(vectors[:place] + vectors[place + 1 :])


for _place, _name in enumerate(("gamma", "beta", "running-mean", "running-var")):
    _kept(
        f"folded-whatever-{_name}",
        f"Inference is not folded again where {_name} alone has changed.",
        _without(_place),
    )
