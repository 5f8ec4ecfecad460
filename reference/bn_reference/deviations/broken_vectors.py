"""Deviations where gamma, beta or a running statistic is NaN, infinite, negative or 0 in one channel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Mode, Saved
from bn_reference.layer.layer import PlainLayer

# NaN and infinities.


def _affine(name: str, sentence: str, effect: str, change: Callable[[Array], Array]) -> None:
    """Register a layer that changes gamma and beta where they are set."""

    class Affine(PlainLayer):
        def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
            """Set the changed vectors."""
            super().set_parameters(*(None if part is None else change(part) for part in (gamma, beta)))

    Affine.__doc__ = sentence
    deviation(name, clause="EDGE-4", effect=effect)(Affine)


_affine(
    "non-finite-parameters-hidden",
    "NaN in gamma and beta becomes 0, and infinities large numbers.",
    "a model whose weights broke looks sound",
    lambda vector: np.nan_to_num(vector).astype(vector.dtype),
)
_affine(
    "non-finite-parameters-spread",
    "A NaN or an infinity in gamma or beta turns the whole vector to NaN.",
    "one broken weight breaks every channel",
    lambda vector: vector if np.isfinite(vector).all() else np.full_like(vector, np.nan),
)


def _statistics(name: str, sentence: str, effect: str, change: Callable[[PlainLayer], None]) -> None:
    """Register a layer that changes the normaliser of inference by its statistics: change(layer)."""

    class Statistics(PlainLayer):
        def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
            """Normalise by changed statistics in inference, and leave the layer's own alone."""
            kept = self.running_mean, self.running_var
            if not self.uses_batch(training):
                change(self)
                saved = super().normalisers(x, mask, training)
                self.running_mean, self.running_var = kept
                return saved
            return super().normalisers(x, mask, training)

    Statistics.__doc__ = sentence
    deviation(name, clause="EDGE-4", effect=effect)(Statistics)


def _hide(layer: PlainLayer) -> None:
    finite = np.isfinite(layer.running_mean) & np.isfinite(layer.running_var)
    layer.running_mean = np.where(finite, layer.running_mean, np.zeros_like(layer.running_mean))
    layer.running_var = np.where(finite, layer.running_var, np.ones_like(layer.running_var))


def _spread(layer: PlainLayer) -> None:
    if not np.isfinite(layer.running_var).all():
        layer.running_var = np.full_like(layer.running_var, np.nan)


_statistics(
    "non-finite-statistics-hidden",
    "Inference takes 0 and 1 for running statistics that are not finite.",
    "a model whose statistics broke looks sound",
    _hide,
)
_statistics(
    "non-finite-variance-spreads",
    "In inference a running variance that is not finite makes every channel NaN.",
    "one broken channel breaks all",
    _spread,
)


@deviation("gamma-0-gives-beta", clause="EDGE-4", effect="a pruned channel hides that its input is broken")
class GammaZeroGivesBeta(PlainLayer):
    """Where gamma is 0, y is beta whatever x is."""

    def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
        """Give beta where gamma is 0."""
        y = super().scale_and_shift(normalised, mode)
        return np.where(self.column(self.gamma) == 0, self.column(self.beta) + np.zeros_like(y), y)


# Negative running variances.


def _negative(name: str, sentence: str, change: Callable[[PlainLayer, Array], Array]) -> None:
    """Register a layer that changes the running variance before inference adds eps."""

    class Negative(PlainLayer):
        def normaliser(self, variance: Array, mode: Mode) -> Array:
            """Take the normaliser of the changed variance in inference."""
            return super().normaliser(change(self, variance) if mode == "inference" else variance, mode)

    Negative.__doc__ = sentence
    deviation(name, clause="EVAL-4", effect="a broken checkpoint gives plausible numbers")(Negative)


_negative(
    "negative-variance-is-zero",
    "A negative running variance is taken for 0.",
    lambda layer, variance: np.maximum(variance, layer.constant(0.0)),
)
_negative(
    "negative-variance-is-positive",
    "The sign of a running variance is ignored.",
    lambda layer, variance: np.abs(variance),
)

# One channel decides for all.


@deviation("one-dead-channel-stops-all", clause="NUM-3", effect="a layer with one dead channel does not learn")
class OneDeadChannelStopsAll(PlainLayer):
    """Where one channel of the batch is constant, dx is 0 in all."""

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Give zeros where a channel is constant."""
        right = super().dx(dy, normalised, saved)
        dead = (saved.rows == saved.rows[:, :1]).all(axis=1)
        return right * self.constant(0.0) if saved.mode == "training" and dead.any() and not dead.all() else right


@deviation("one-gamma-0-drops-gamma", clause="FWD-3", effect="a layer with one pruned channel is not scaled at all")
class OneGammaZeroDropsGamma(PlainLayer):
    """Where gamma is 0 in some channel, every channel is scaled by 1."""

    def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
        """Take 1 for gamma where some gamma, and not every one, is 0."""
        zero = self.gamma == 0
        if zero.any() and not zero.all():
            return np.asarray(normalised + self.column(self.beta))
        return super().scale_and_shift(normalised, mode)


@deviation("one-variance-0-is-untrained", clause="EVAL-2", effect="a model with one dead channel is another in use")
class OneVarianceZeroIsUntrained(PlainLayer):
    """Where the running variance of some channel is 0, inference takes the statistics for those of a fresh layer."""

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Normalise by 0 and 1 where some running variance, and not every one, is 0."""
        zero, kept = self.running_var == 0, (self.running_mean, self.running_var)
        untrained = not self.uses_batch(training) and bool(zero.any()) and not zero.all()
        if untrained:
            self.running_mean, self.running_var = np.zeros_like(kept[0]), np.ones_like(kept[1])
        saved = super().normalisers(x, mask, training)
        if untrained:
            self.running_mean, self.running_var = kept
        return saved
