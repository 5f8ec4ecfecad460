"""Mistakes in what lies between the calls of a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from tests.support.good_numpy import GoodLayer
from tests.support.mistakes.mistake import caught_by

from bn_conformance.adapter import Array, Gradients, SecondOrder


@caught_by("STATE-8")
class BackwardReadsGammaAgain(GoodLayer):
    def backward(self, dy: Array) -> Gradients:
        self.gamma_then = self.gamma
        return super().backward(dy)


@caught_by("STATE-8")
class SecondOrderReadsGammaAgain(GoodLayer):
    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        self.gamma_then = self.gamma
        return super().double_backward(dy, v_dx, v_dgamma, v_dbeta)


@caught_by("STATE-8")
class InferenceBackwardReadsTheMeanAgain(GoodLayer):
    def backward(self, dy: Array) -> Gradients:
        if self.latest is not None and not self.latest[2]:
            self.latest = self.latest[0], np.stack([self._wide(self.running_mean), self.latest[1][1]]), False
        return super().backward(dy)


@caught_by("STATE-8")
class LoadReachesTheLatestForward(GoodLayer):
    def load_state(self, state: Mapping[str, Array]) -> None:
        super().load_state(state)
        self.gamma_then = self.gamma


@caught_by("STATE-8")
class LoadForgetsTheDeviation(GoodLayer):
    def load_state(self, state: Mapping[str, Array]) -> None:
        super().load_state(state)
        if self.latest is not None:
            self.latest[1][1] = 1.0


@caught_by("STATE-8")
class FreezeReachesTheLatestForward(GoodLayer):
    def freeze(self) -> None:
        super().freeze()
        self.latest = None if self.latest is None else (*self.latest[:2], False)


@caught_by("STATE-6")
class FreezeKeepsTheStatistics(GoodLayer):
    def freeze(self) -> None:
        super().freeze()
        self.then = self.running_mean, self.running_var

    def forward(self, x: Array, training: bool) -> Array:
        if not self.frozen:
            return super().forward(x, training)
        now = self.running_mean, self.running_var
        self.running_mean, self.running_var = self.then
        y = super().forward(x, training)
        self.running_mean, self.running_var = now
        return y


@caught_by("STATE-3")
class SavesThatItIsFrozen(GoodLayer):
    def state(self) -> Mapping[str, Array]:
        return {**super().state(), "frozen": np.array(self.frozen)}

    def load_state(self, state: Mapping[str, Array]) -> None:
        super().load_state(state)
        self.frozen = bool(state["frozen"])


@caught_by("STAT-4")
class SecondBackwardMovesAgain(GoodLayer):
    backwards = 0

    def forward(self, x: Array, training: bool) -> Array:
        self.backwards = 0
        return super().forward(x, training)

    def backward(self, dy: Array) -> Gradients:
        self.backwards += 1
        if self.backwards > 1 and self.latest is not None and self.latest[2]:
            rows = self.latest[0]
            self.move(*self.statistics(rows), rows.shape[1])
        return super().backward(dy)


@caught_by("GRAD-1")
class SecondOrderSpoilsTheMean(GoodLayer):
    def double_backward(self, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None) -> SecondOrder:
        found = super().double_backward(dy, v_dx, v_dgamma, v_dbeta)
        if self.latest is not None:
            self.latest[1][0] += 0.125
        return found


class _Keyed(GoodLayer):
    """Folds inference, and folds again where the key of its vectors has changed."""

    folded: tuple[object, Array, Array] | None = None
    key: Callable[[Array], object] = staticmethod(lambda vector: vector.tobytes())

    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if self.uses_batch(training):
            return y
        key = tuple(self.key(part) for part in (self.gamma, self.beta, self.running_mean, self.running_var))
        if self.folded is None or self.folded[0] != key:
            scale = self._wide(self.gamma) * self.inverse_in_inference(self._wide(self.running_var))
            self.folded = key, scale, self._wide(self.beta) - self._wide(self.running_mean) * scale
        _, scale, shift = self.folded
        return self.finish(self._rows(x) * scale[:, None] + shift[:, None], x.shape)


@caught_by("STATE-6")
class FoldedUnderSums(_Keyed):
    key = staticmethod(lambda vector: float(vector.astype(np.float64).sum()))


@caught_by("STATE-6")
class FoldedUnderTheFirstChannel(_Keyed):
    key = staticmethod(lambda vector: vector[:1].tobytes())


@caught_by("EDGE-2")
class CountsEmptyBatches(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        if training and not x.shape[0]:
            self.steps += 1
            return x.copy()
        return super().forward(x, training)


@caught_by("EDGE-4")
class StartsAgainAfterNan(GoodLayer):
    def move(self, mean: Array, variance: Array, count: int) -> None:
        if not np.isfinite(self._wide(self.running_var)).all():
            self.running_mean, self.running_var = np.zeros_like(self.running_mean), np.ones_like(self.running_var)
        super().move(mean, variance, count)


@caught_by("GRAD-1")
class GradientsOfInferenceAtMomentumOne(GoodLayer):
    def dx_in_training(self, dy: Array, xhat: Array, inverse: Array) -> Array:
        one = self.momentum == 1
        return self.dx_in_inference(dy, inverse) if one else super().dx_in_training(dy, xhat, inverse)


@caught_by("STATE-2")
class LoadsGammaInTheFormatOfX(GoodLayer):
    def load_state(self, state: Mapping[str, Array]) -> None:
        super().load_state(state)
        self.gamma = self.gamma.astype(self.storage).astype(self.wide)


@caught_by("PURE-7")
class TakesItsYForXhat(GoodLayer):
    given: Array | None = None

    def forward(self, x: Array, training: bool) -> Array:
        self.given = super().forward(x, training)
        return self.given

    def dx_in_training(self, dy: Array, xhat: Array, inverse: Array) -> Array:
        bare = self.given is not None and not (self.config.gamma or self.config.beta)
        return super().dx_in_training(dy, self._rows(self.given) if bare and self.given is not None else xhat, inverse)
