"""Layers that write where they must not, race with themselves or give other bits the next time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from tests.support.good_numpy import GoodLayer
from tests.support.mistakes.mistake import caught_by

from bn_conformance.adapter import Array, Gradients, RunningStatistics


class _InPlace(GoodLayer):
    """Moves running statistics in the memory that they have."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        kept = self.running_mean, self.running_var
        super().move(mean, variance, count)
        for old, new in zip(kept, (self.running_mean, self.running_var), strict=True):
            old[...] = new
        self.running_mean, self.running_var = kept


@caught_by("PURE-4")
class GivesLiveStatistics(_InPlace):
    def running_statistics(self) -> RunningStatistics:
        return RunningStatistics(self.running_mean, self.running_var)


@caught_by("STATE-1")
class MovesTheStatisticsThatItWasGiven(_InPlace):
    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        self.running_mean, self.running_var = mean, variance


@caught_by("STATE-2")
class SavesLiveStatistics(_InPlace):
    def state(self) -> Mapping[str, Array]:
        return {**super().state(), "running_mean": self.running_mean, "running_var": self.running_var}


@caught_by("STATE-2")
class MovesTheStatisticsThatItLoaded(_InPlace):
    def load_state(self, state: Mapping[str, Array]) -> None:
        super().load_state(state)
        self.running_mean, self.running_var = state["running_mean"], state["running_var"]


@caught_by("STATE-6")
class BackwardScalesTheGammaThatItWasGiven(GoodLayer):
    """Keeps gamma by reference and folds the inverse deviation into it."""

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        super().set_parameters(gamma, beta)
        self.given = gamma

    def backward(self, dy: Array) -> Gradients:
        if self.given is not None and self.latest is not None:
            self.given *= self.latest[1][1].astype(self.wide)
        return super().backward(dy)


class _Threaded(GoodLayer):
    """Sums in a block for each thread."""

    def blocks(self, rows: Array) -> list[Array]:
        return np.array_split(rows, self.threads, axis=1)


@caught_by("PURE-5")
class ThreadsLeaveARest(_Threaded):
    def statistics(self, rows: Array) -> tuple[Array, Array]:
        return super().statistics(rows[:, : rows.shape[1] - rows.shape[1] % self.threads])


@caught_by("PURE-5")
class BlocksOfUnequalSizesWeighAlike(_Threaded):
    def dbeta(self, dy: Array) -> Array:
        means = [block.mean(axis=1) for block in self.blocks(dy)]
        return np.asarray(np.mean(means, axis=0) * dy.shape[1])


@caught_by("PURE-5")
class ThreadsAddVariancesOnly(_Threaded):
    """Combines blocks without the term for the distance of their means (Chan, Golub and LeVeque's delta)."""

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        squares = [np.square(block - block.mean(axis=1)[:, None]).sum(axis=1) for block in self.blocks(rows)]
        return rows.mean(axis=1), np.asarray(sum(squares) / rows.shape[1])


@caught_by("PURE-5")
class ThreadsAddInAnyOrder(_Threaded):
    calls = 0

    def dgamma(self, dy: Array, xhat: Array, rows: Array) -> Array:
        ThreadsAddInAnyOrder.calls += 1
        turn = ThreadsAddInAnyOrder.calls % 3 if self.threads > 1 else 0
        return super().dgamma(dy, xhat, rows) * (1.0 + turn * 2.0**-22)


@caught_by("PURE-6")
class ScratchIsSharedByThreads(GoodLayer):
    """Sound one call after the other."""

    scratch: ClassVar[dict[str, Array]] = {}

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        self.scratch["rows"] = rows
        time.sleep(0.001)
        return super().statistics(self.scratch["rows"])


@caught_by("PURE-6")
class GradientsMeetInOneBuffer(GoodLayer):
    sums: ClassVar[dict[str, Array]] = {}

    def dbeta(self, dy: Array) -> Array:
        self.sums["dbeta"] = super().dbeta(dy)
        time.sleep(0.001)
        return self.sums["dbeta"]


@caught_by("LAYOUT-3")
class IgnoresStrides(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        if not x.flags.c_contiguous:
            x = np.frombuffer(x.tobytes(order="A"), x.dtype).reshape(x.shape)
        return super().forward(x, training)


@caught_by("PURE-1")
class NormalisesInPlace(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if x.flags.writeable:
            x[...] = y
        return y


@caught_by("PURE-1")
class BackwardOverwritesDy(GoodLayer):
    def backward(self, dy: Array) -> Gradients:
        gradients = super().backward(dy)
        if dy.flags.writeable:
            dy[...] = 0
        return gradients


@caught_by("PURE-1")
class GivesAViewOfX(GoodLayer):
    def forward(self, x: Array, training: bool) -> Array:
        y = super().forward(x, training)
        if x.flags.writeable and x.shape == y.shape:
            x[...] = y
            return x[:]
        return y


class _Noise:
    calls = 0


@caught_by("PURE-2")
class NotTheSameTwice(GoodLayer):
    def scale_and_shift(self, xhat: Array) -> Array:
        _Noise.calls += 1
        return super().scale_and_shift(xhat) * (1.0 + (_Noise.calls % 2) * 2.0**-22)
