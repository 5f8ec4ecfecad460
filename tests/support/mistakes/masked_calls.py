"""Mistakes in masks and in the second order that need something else to show."""

from __future__ import annotations

import numpy as np
from tests.support.good_numpy import GoodLayer
from tests.support.mistakes.mistake import caught_by

from bn_conformance.adapter import CUMULATIVE, Array, Gradients


@caught_by("STATE-3")
class TrainsWithAMaskThoughFrozen(GoodLayer):
    def uses_batch(self, training: bool) -> bool:
        return training and (not self.frozen or self.weights is not None)


@caught_by("MASK-2")
class MaskedStepsWeighATenth(GoodLayer):
    def weight_of_new(self) -> float:
        masked = self.momentum == CUMULATIVE and self.weights is not None
        return 0.1 if masked else super().weight_of_new()


@caught_by("MASK-3")
class MaskForgottenWithoutAffine(GoodLayer):
    def masked_dx(self, dy: Array, xhat: Array, inverse: Array, weights: Array) -> Array:
        if not (self.config.gamma or self.config.beta):
            return self.dx_in_training(dy, xhat, inverse)
        return super().masked_dx(dy, xhat, inverse, weights)


@caught_by("MASK-3")
class MaskForgottenInTheSecondBackward(GoodLayer):
    def backward(self, dy: Array) -> Gradients:
        gradients = super().backward(dy)
        self.weights = None
        return gradients


@caught_by("EDGE-4")
class CountedNanIsZero(GoodLayer):
    def masked_statistics(self, rows: Array, weights: Array) -> tuple[Array, Array]:
        return super().masked_statistics(np.where(np.isnan(rows), 0.0, rows), weights)


@caught_by("PURE-7")
class KeepsTheMaskByReference(GoodLayer):
    given: Array | None = None

    def forward_masked(self, x: Array, mask: Array, training: bool) -> Array:
        self.given = mask
        return super().forward_masked(x, mask, training)

    def masked_dx(self, dy: Array, xhat: Array, inverse: Array, weights: Array) -> Array:
        now = weights if self.given is None else self.counted(self.given)
        return super().masked_dx(dy, xhat, inverse, now)


@caught_by("SECOND-1")
class SecondOrderStopsAtConstantChannels(GoodLayer):
    def ds_dx(self, dy: Array, v: Array, v_dgamma: Array, xhat: Array, inverse: Array) -> Array:
        return np.where(np.any(xhat, axis=1, keepdims=True), super().ds_dx(dy, v, v_dgamma, xhat, inverse), 0.0)


@caught_by("SECOND-1")
class SecondOrderIsDoubledAtSmallEps(GoodLayer):
    def ds_dx(self, dy: Array, v: Array, v_dgamma: Array, xhat: Array, inverse: Array) -> Array:
        return super().ds_dx(dy, v, v_dgamma, xhat, inverse) * (2.0 if self.eps < 1e-4 else 1.0)
