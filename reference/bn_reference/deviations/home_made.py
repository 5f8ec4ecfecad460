"""Deviations of layers written at home: a mode that is not asked for, an activation built in, gradients forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Mode, Saved
from bn_reference.layer.layer import PlainLayer

# Modes.


@deviation(
    "training-flag-ignored", clause="EVAL-1", effect="results in use depend on the batch, and move the statistics"
)
class TrainingFlagIgnored(PlainLayer):
    """Every call is one in training, whatever its flag says."""

    def uses_batch(self, training: bool) -> bool:
        """Use the statistics of the batch in every call."""
        return True

    def moves(self, training: bool) -> bool:
        """Move the running statistics in every call."""
        return True


@deviation("mode-of-the-first-call", clause="EVAL-1", effect="a layer that was trained first never infers")
class ModeOfTheFirstCall(PlainLayer):
    """Each layer stays in the mode of its first call."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Run in the mode of the first call."""
        self.first_mode = getattr(self, "first_mode", training)
        return super().forward_masked(x, mask, self.first_mode)


@deviation("eps-added-to-running-var-in-place", clause="STAT-5", effect="running_var grows with every use of a model")
class EpsAddedInPlace(PlainLayer):
    """Inference adds eps to running_var in place, so that it stays there."""

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Leave eps in running_var after an inference."""
        saved = super().normalisers(x, mask, training)
        if saved.mode == "inference":
            self.running_var = self.store(self.wide(self.running_var) + self.eps, self.statistics_dtype)
        return saved


# Normalisation.


@deviation(
    "unbiased-throughout",
    clause="FWD-1",
    effect="y is too small by sqrt((n - 1) / n); automatic differentiation agrees with that",
)
class UnbiasedThroughout(PlainLayer):
    """The unbiased variance normalises the batch, and the gradient flows through it."""

    def normaliser(self, variance: Array, mode: Mode) -> Array:
        """Take the normaliser of the unbiased variance in training."""
        if mode == "training":
            values = self.batch_values()
            variance = variance * self.constant(values) / self.constant(values - 1.0)
        return super().normaliser(variance, mode)

    def variance_term(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Divide the variance term by n - 1."""
        values = self.count(saved.counted)
        return np.asarray(super().variance_term(dy, normalised, saved) * (values / (values - self.constant(1.0))))


# Running statistics.


@deviation(
    "running-var-takes-in-deviation", clause="STAT-2", effect="inference divides by the fourth root of a variance"
)
class RunningVarTakesInDeviation(PlainLayer):
    """running_var takes in the standard deviation instead of the variance."""

    def estimate(self, variance: Array, count: int) -> Array:
        """Take the root of the estimate."""
        return self.root(super().estimate(variance, count))


@deviation(
    "running-var-takes-in-other-deviation",
    clause="STAT-2",
    effect="inference divides by the fourth root of a variance",
)
class RunningVarTakesInOtherDeviation(PlainLayer):
    """running_var takes in a standard deviation: the biased one where unbiased is declared, else the unbiased one."""

    def estimate(self, variance: Array, count: int) -> Array:
        """Take the root of the estimate that is not declared."""
        if self.convention.running_variance == "unbiased":
            return self.root(variance)
        return self.root(variance * self.constant(float(count)) / self.constant(float(max(count - 1, 1))))


# An activation that is part of the layer.


def _activated(name: str, what: str, activation: Callable[..., Array], slope: Callable[..., Array]) -> None:
    """Register a layer whose y is activation(layer, z), where z is right, with the gradient to match."""

    class Activated(PlainLayer):
        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """Pass the right result through the activation."""
            right = super().scale_and_shift(normalised, mode)
            self.slope = slope(self, right)
            return np.asarray(activation(self, right))

        def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
            """Compute dx from dy times the slope."""
            return super().dx(dy * self.slope, normalised, saved)

        def dgamma(self, dy: Array, normalised: Array) -> Array:
            """Sum over dy times the slope."""
            return np.asarray(super().dgamma(dy * self.slope, normalised))

        def dbeta(self, dy: Array) -> Array:
            """Sum dy times the slope."""
            return super().dbeta(dy * self.slope)

    Activated.__doc__ = f"The result is passed through {what}, and gradients through its slope."
    deviation(name, clause="FWD-1", effect="half a network's activations are applied twice")(Activated)


def _where_positive(layer: PlainLayer, values: Array, otherwise: float) -> Array:
    return np.asarray(np.where(values > 0, layer.constant(1.0), layer.constant(otherwise)))


def _sigmoid(layer: PlainLayer, values: Array) -> Array:
    one = layer.constant(1.0)
    return np.asarray(one / (one + np.exp(-values)))


_activated(
    "relu-built-in",
    "a ReLU",
    lambda layer, values: np.where(values > 0, values, layer.constant(0.0)),
    lambda layer, values: _where_positive(layer, values, 0.0),
)
_activated(
    "leaky-relu-built-in",
    "a leaky ReLU of slope 0.01",
    lambda layer, values: values * _where_positive(layer, values, 0.01),
    lambda layer, values: _where_positive(layer, values, 0.01),
)
_activated(
    "sigmoid-built-in",
    "a sigmoid",
    _sigmoid,
    lambda layer, values: _sigmoid(layer, values) * (layer.constant(1.0) - _sigmoid(layer, values)),
)
_activated(
    "tanh-built-in",
    "a hyperbolic tangent",
    lambda layer, values: np.tanh(values),
    lambda layer, values: layer.constant(1.0) - np.tanh(values) * np.tanh(values),
)
_activated(
    "silu-built-in",
    "a SiLU",
    lambda layer, values: values * _sigmoid(layer, values),
    lambda layer, values: (
        _sigmoid(layer, values) * (layer.constant(1.0) + values * (layer.constant(1.0) - _sigmoid(layer, values)))
    ),
)


# Gradients.


@deviation("saved-inverse-rooted-again", clause="GRAD-1", effect="gradients are right only near a variance of 1")
class SavedInverseRootedAgain(PlainLayer):
    """Backward of training takes the saved inverse deviation for a variance, in dx and in dgamma."""

    def backward(self, dy: Array) -> Any:
        """Take the reciprocal root of what is one already."""
        kept = self.saved
        if kept is not None and kept.mode == "training":
            self.saved = replace(kept, inverse=self.normaliser(kept.inverse, kept.mode))
        try:
            return super().backward(dy)
        finally:
            self.saved = kept


@deviation("gradients-zero", clause="GRAD-1", effect="nothing below the layer learns, nor do gamma and beta")
class GradientsZero(PlainLayer):
    """Every gradient is zero, and y is right."""

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Give zero."""
        return np.asarray(super().dx(dy, normalised, saved) * self.constant(0.0))

    def dgamma(self, dy: Array, normalised: Array) -> Array:
        """Give zero."""
        return np.asarray(super().dgamma(dy, normalised) * self.constant(0.0))

    def dbeta(self, dy: Array) -> Array:
        """Give zero."""
        return np.asarray(super().dbeta(dy) * self.constant(0.0))


@deviation("no-gradient-at-all", clause="GRAD-1", effect="a model with this layer cannot be trained", numeric=False)
class NoGradientAtAll(PlainLayer):
    """Backward raises an error: the forward records nothing for it."""

    def backward(self, dy: Array) -> Any:
        """Refuse."""
        raise RuntimeError("y does not depend on x, gamma or beta, as far as backward knows")


@deviation("parameter-gradients-are-means", clause="GRAD-2", effect="gamma and beta learn n times too slowly")
class ParameterGradientsAreMeans(PlainLayer):
    """dgamma and dbeta are means over the batch instead of sums."""

    def dgamma(self, dy: Array, normalised: Array) -> Array:
        """Divide the sum by n."""
        return np.asarray(super().dgamma(dy, normalised) / self.constant(max(float(dy.shape[1]), 1.0)))

    def dbeta(self, dy: Array) -> Array:
        """Divide the sum by n."""
        return np.asarray(super().dbeta(dy) / self.constant(max(float(dy.shape[1]), 1.0)))
