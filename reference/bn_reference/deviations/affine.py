"""Deviations of gamma and beta: ignored, changed, shared, merged, or short-cut where their values are special."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Mode, Saved
from bn_reference.layer.layer import PlainLayer

Change = Callable[[PlainLayer, Array, Array], tuple[Array, Array]]


def _changed(name: str, sentence: str, effect: str, change: Change, clause: str = "FWD-3", link: str = "") -> None:
    """Register a layer whose forward uses wrong parameters, and whose backward uses the right ones."""

    class Changed(PlainLayer):
        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """Scale and shift with the changed parameters."""
            kept = self.gamma, self.beta
            self.gamma, self.beta = change(self, self.gamma, self.beta)
            try:
                return super().scale_and_shift(normalised, mode)
            finally:
                self.gamma, self.beta = kept

    Changed.__doc__ = sentence
    deviation(name, clause=clause, effect=effect, link=link)(Changed)


_changed(
    "gamma-ignored",
    "gamma is not applied.",
    "a trained layer acts as a fresh one",
    lambda layer, gamma, beta: (np.ones_like(gamma), beta),
)
_changed(
    "beta-ignored",
    "beta is not added.",
    "every output has mean zero, so that half of it dies in a ReLU",
    lambda layer, gamma, beta: (gamma, np.zeros_like(beta)),
)
_changed(
    "gamma-plus-one",
    "The scale is 1 + gamma, as where gamma is stored as an offset.",
    "outputs are too large by one deviation; a gamma stored as an offset fits again",
    lambda layer, gamma, beta: ((gamma + 1).astype(gamma.dtype), beta),
)
_changed(
    "gamma-absolute",
    "The absolute value of gamma is applied.",
    "channels of negative gamma come out mirrored",
    lambda layer, gamma, beta: (np.abs(gamma), beta),
    link="https://github.com/LeelaChessZero/lc0/pull/779",
)
_changed(
    "gamma-made-positive",
    "A gamma below zero is taken for zero.",
    "channels of negative gamma are constant",
    lambda layer, gamma, beta: (np.where(gamma < 0, np.zeros_like(gamma), gamma), beta),
)
_changed(
    "gamma-zero-as-one",
    "A gamma of zero is taken for no gamma, that is for one.",
    "branches that start with gamma = 0, as in residual networks, are not silent",
    lambda layer, gamma, beta: (np.where(gamma == 0, np.ones_like(gamma), gamma), beta),
)
_changed(
    "gamma-clipped-to-one",
    "gamma is clipped to -1 to 1.",
    "a layer cannot amplify",
    lambda layer, gamma, beta: (np.where(np.abs(gamma) > 1, np.sign(gamma), gamma).astype(gamma.dtype), beta),
)
_changed(
    "gamma-squared",
    "gamma is applied twice.",
    "outputs are off by a factor gamma, and a negative one has no effect",
    lambda layer, gamma, beta: (gamma * gamma, beta),
)
_changed(
    "gamma-divides",
    "The normalised value is divided by gamma.",
    "large channels become small and the other way round",
    lambda layer, gamma, beta: ((1 / gamma).astype(gamma.dtype), beta),
)
_changed(
    "gamma-reversed",
    "The channels of gamma are in reversed order.",
    "each channel has the scale of another one",
    lambda layer, gamma, beta: (gamma[::-1], beta),
)
_changed(
    "gamma-rolled",
    "Each channel has the gamma of the one before it.",
    "each channel has the scale of its neighbour",
    lambda layer, gamma, beta: (np.roll(gamma, 1), beta),
)
_changed(
    "beta-rolled",
    "Each channel has the beta of the one before it.",
    "each channel has the shift of its neighbour",
    lambda layer, gamma, beta: (gamma, np.roll(beta, 1)),
)
_changed(
    "gamma-of-first-channel",
    "All channels share the first gamma.",
    "a scale for each channel cannot be learnt",
    lambda layer, gamma, beta: (np.repeat(gamma[:1], len(gamma)), beta),
)
_changed(
    "beta-of-first-channel",
    "All channels share the first beta.",
    "a shift for each channel cannot be learnt",
    lambda layer, gamma, beta: (gamma, np.repeat(beta[:1], len(beta))),
)
_changed(
    "beta-negated",
    "beta is subtracted.",
    "every channel is shifted to the wrong side",
    lambda layer, gamma, beta: (gamma, -beta),
)
_changed(
    "gamma-and-beta-swapped",
    "gamma and beta are used in each other's place.",
    "a fresh layer gives ones everywhere",
    lambda layer, gamma, beta: (beta, gamma),
)
_changed(
    "beta-scaled-by-gamma",
    "beta is added before gamma multiplies.",
    "shifts are off by a factor gamma",
    lambda layer, gamma, beta: (gamma, (beta * gamma).astype(beta.dtype)),
)
_changed(
    "gamma-needs-beta",
    "A layer without beta does not apply its gamma.",
    "layers with a scale alone do not scale",
    lambda layer, gamma, beta: (gamma if layer.config.beta else np.ones_like(gamma), beta),
    clause="FWD-4",
)
_changed(
    "beta-needs-gamma",
    "A layer without gamma does not add its beta.",
    "layers built with a shift alone do not shift",
    lambda layer, gamma, beta: (gamma, beta if layer.config.gamma else np.zeros_like(beta)),
    clause="FWD-4",
)
_changed(
    "shifts-without-beta",
    "A layer built without beta adds one eighth.",
    "outputs have a mean that nobody set",
    lambda layer, gamma, beta: (gamma, beta if layer.config.beta else np.full_like(beta, 0.125)),
    clause="FWD-4",
)
_changed(
    "scales-without-gamma",
    "A layer built without gamma scales by 1.25.",
    "outputs have a deviation that nobody set",
    lambda layer, gamma, beta: (gamma if layer.config.gamma else np.full_like(gamma, 1.25), beta),
    clause="FWD-4",
)
_changed(
    "equal-parameters-merged",
    "Where gamma and beta hold equal numbers an optimiser merges them, and scaling changes the shift too.",
    "a model breaks only when two of its parameters happen to be equal",
    lambda layer, gamma, beta: (
        gamma,
        (beta * gamma).astype(beta.dtype) if layer.config.beta and np.array_equal(gamma, beta) else beta,
    ),
)
_changed(
    "gamma-merged-with-running-var",
    "Where gamma and running_var hold equal numbers an optimiser merges them, and folding changes both.",
    "a fresh layer, whose gamma and running_var are both one, gives other outputs after an export",
    lambda layer, gamma, beta: (
        gamma + layer.store(layer.eps_in("inference"), gamma.dtype)
        if layer.config.gamma and np.array_equal(gamma, layer.running_var)
        else gamma,
        beta,
    ),
)
_changed(
    "beta-merged-with-running-mean",
    "Where beta and running_mean hold equal numbers an optimiser merges them, and beta is lost.",
    "a model breaks only when two of its parameters happen to be equal",
    lambda layer, gamma, beta: (
        gamma,
        np.zeros_like(beta) if layer.config.beta and np.array_equal(beta, layer.running_mean) else beta,
    ),
)
_changed(
    "unit-gamma-shortcut",
    "Where every gamma is one the affine part is skipped, beta included.",
    "shifts have no effect until a scale is trained",
    lambda layer, gamma, beta: (gamma, np.zeros_like(beta) if np.all(gamma == 1) else beta),
)
_changed(
    "zero-beta-shortcut",
    "Where every beta is zero the affine part is skipped, gamma included.",
    "scales have no effect until a shift is trained",
    lambda layer, gamma, beta: (np.ones_like(gamma) if np.all(beta == 0) else gamma, beta),
)
_changed(
    "zero-gamma-shortcut",
    "A channel whose gamma is zero gives zero, beta included.",
    "channels that a pruned gamma switched off lose their shift",
    lambda layer, gamma, beta: (gamma, np.where(gamma == 0, np.zeros_like(beta), beta)),
)


def _in_mode(name: str, mode_without: Mode, effect: str) -> None:
    class InOneMode(PlainLayer):
        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """Give the normalised value itself in that mode."""
            return normalised if mode == mode_without else super().scale_and_shift(normalised, mode)

    InOneMode.__doc__ = f"gamma and beta are not used in {mode_without}."
    clause = "FWD-3" if mode_without == "training" else "EVAL-1"
    deviation(name, clause=clause, effect=effect)(InOneMode)


_in_mode("affine-missing-in-training", "training", "parameters have gradients and no effect")
_in_mode("affine-missing-in-inference", "inference", "a model is good in training and bad in use")


@deviation(
    "default-parameters-shortcut",
    clause="FWD-2",
    effect="a layer with default parameters, and only that, blows up channels of small variance",
)
class DefaultParametersShortcut(PlainLayer):
    """Where gamma is one and beta zero, a fast path leaves eps out."""

    def normaliser(self, variance: Array, mode: Mode) -> Array:
        """Leave eps out where gamma and beta have their default values."""
        if np.all(self.gamma == 1) and np.all(self.beta == 0):
            return np.asarray(1 / self.root(variance))
        return super().normaliser(variance, mode)


@deviation(
    "gamma-before-statistics",
    clause="FWD-3",
    effect="gamma has no effect but its sign, since the normalisation takes it out again",
)
class GammaBeforeStatistics(PlainLayer):
    """gamma multiplies x before its statistics are taken, and beta is added after."""

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Note that gamma comes first."""
        self.scale_first = True
        return super().normalisers(x, mask, training)

    def normaliser(self, variance: Array, mode: Mode) -> Array:
        """Take the normaliser of gamma * x."""
        gamma = self.column(self.gamma)
        return super().normaliser(gamma * gamma * variance, mode)
