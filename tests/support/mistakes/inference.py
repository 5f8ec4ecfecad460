"""Mistakes in inference and in the state that a layer saves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from tests.support.good_numpy import GoodLayer
from tests.support.mistakes.mistake import caught_by

from bn_conformance.adapter import Array


@caught_by("EVAL-2")
class NoEpsInInference(GoodLayer):
    def inverse_in_inference(self, variance: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(1.0 / np.sqrt(variance))


@caught_by("EVAL-1")
class InferenceUsesTheBatch(GoodLayer):
    def uses_batch(self, training: bool) -> bool:
        return True

    def moves(self, training: bool) -> bool:
        return training


@caught_by("EVAL-3")
class InferenceBlendsTheBatchMean(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        kept = self.running_mean
        if not training and x.shape[0] > 0:
            self.running_mean = (0.5 * self._wide(kept) + 0.5 * self._rows(x).mean(axis=1)).astype(self.wide)
        y = super().forward(x, training)
        if not training:
            self.running_mean = kept
        return y


@caught_by("STATE-2")
class LosesRunningVariance(GoodLayer):
    def load_state(self, state: Mapping[str, Array]) -> None:
        super().load_state({**state, "running_var": np.ones_like(state["running_var"])})


@caught_by("STATE-2")
class LosesGamma(GoodLayer):
    def load_state(self, state: Mapping[str, Array]) -> None:
        super().load_state({**state, "gamma": np.ones_like(state["gamma"])})


@caught_by("STATE-3")
class FrozenLayerMoves(GoodLayer):
    def moves(self, training: bool) -> bool:
        return training

    def uses_batch(self, training: bool) -> bool:
        return training and not self.frozen

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if training and self.frozen:
            rows = self._rows(x)
            self.move(*self.statistics(rows), rows.shape[1])
        return y


@caught_by("STATE-3")
class FreezeDoesNothing(GoodLayer):
    def freeze(self) -> None:
        return
