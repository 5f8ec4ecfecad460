"""Mistakes of one rank, one format or one size alone: cases that only sweeps hold must catch them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from tests.support.good_numpy import GoodLayer
from tests.support.mistakes.mistake import caught_in_a_sweep_by

from bn_conformance.adapter import CUMULATIVE, Array, Gradients, LayerConfig


class _AtRankFive(GoodLayer):
    @property
    def concerned(self) -> bool:
        return self.config.rank == 5


class _InHalf(GoodLayer):
    @property
    def concerned(self) -> bool:
        return self.storage.itemsize == 2


class _InDouble(GoodLayer):
    @property
    def concerned(self) -> bool:
        return bool(self.storage == np.float64)


@caught_in_a_sweep_by("STATE-3")
class VolumesDoNotFreeze(_AtRankFive):
    def freeze(self) -> None:
        self.frozen = not self.concerned


@caught_in_a_sweep_by("STAT-8")
class VolumesHaveNoPlainAverage(_AtRankFive):
    def weight_of_new(self) -> float:
        return 0.1 if self.concerned and self.momentum == CUMULATIVE else super().weight_of_new()


@caught_in_a_sweep_by("MASK-1")
class VolumesIgnoreMasks(_AtRankFive):
    def counted(self, mask: Array) -> Array:
        counted = super().counted(mask)
        return np.ones_like(counted) if self.concerned else counted


@caught_in_a_sweep_by("SECOND-1")
class VolumesHaveNoSecondOrder(_AtRankFive):
    def ds_dx(self, dy: Array, v: Array, v_dgamma: Array, xhat: Array, inverse: Array) -> Array:
        right = super().ds_dx(dy, v, v_dgamma, xhat, inverse)
        return right * 0 if self.concerned else right


@caught_in_a_sweep_by("STATE-2")
class VolumesLoadNoVariance(_AtRankFive):
    def load_state(self, state: Mapping[str, Array]) -> None:
        super().load_state({**state, "running_var": self.running_var} if self.concerned else state)


@caught_in_a_sweep_by("LAYOUT-2")
class VolumesWithChannelsBetweenAreDoubled(_AtRankFive):
    def scale_and_shift(self, xhat: Array) -> Array:
        y = super().scale_and_shift(xhat)
        return 2 * y if self.concerned and self.config.layout == "between" else y


@caught_in_a_sweep_by("FWD-5")
class SequencesHaveAnotherDefaultEps(GoodLayer):
    def __init__(self, config: LayerConfig) -> None:
        super().__init__(config)
        if config.rank == 3 and config.eps is None:
            self.eps = 1e-3


@caught_in_a_sweep_by("STAT-7")
class HalvesMoveAtMomentumZero(_InHalf):
    def weight_of_new(self) -> float:
        return super().weight_of_new() or (0.1 if self.concerned else 0.0)


@caught_in_a_sweep_by("FWD-4")
class HalvesWithoutParametersHaveNoEps(_InHalf):
    def inverse(self, variance: Array) -> Array:
        bare = not self.config.gamma and not self.config.beta
        return np.asarray(1.0 / np.sqrt(variance)) if self.concerned and bare else super().inverse(variance)


@caught_in_a_sweep_by("EDGE-4")
class HalvesTakeNanForZero(_InHalf):
    def statistics(self, rows: Array) -> tuple[Array, Array]:
        return super().statistics(np.nan_to_num(rows, nan=0.0) if self.concerned else rows)


@caught_in_a_sweep_by("MASK-1")
class HalvesCountOneMore(_InHalf):
    def masked_statistics(self, rows: Array, weights: Array) -> tuple[Array, Array]:
        mean, variance = super().masked_statistics(rows, weights)
        return (mean * weights.sum() / (weights.sum() + 1.0) if self.concerned else mean), variance


@caught_in_a_sweep_by("FWD-4")
class DoubleGammaAloneHasSingleGradients(_InDouble):
    def dgamma(self, dy: Array, xhat: Array, rows: Array) -> Array:
        right = super().dgamma(dy, xhat, rows)
        return right.astype(np.float32).astype(self.work) if self.concerned and not self.config.beta else right


@caught_in_a_sweep_by("LAYOUT-3")
class DoublesAreReadInOrder(_InDouble):
    def backward(self, dy: Array) -> Gradients:
        if self.concerned and dy.T.flags.c_contiguous and not dy.flags.c_contiguous:
            dy = dy.T.reshape(dy.shape)
        return super().backward(dy)


@caught_in_a_sweep_by("NUM-8")
class LongDoublesAreSummedInSingle(_InDouble):
    def statistics(self, rows: Array) -> tuple[Array, Array]:
        short = rows.shape[1] <= 1000 or not self.concerned
        return super().statistics(rows if short else rows.astype(np.float32).astype(self.work))


@caught_in_a_sweep_by("NUM-8")
class StatisticsOfTheFirst65536(GoodLayer):
    def statistics(self, rows: Array) -> tuple[Array, Array]:
        return super().statistics(rows[:, :65536])


@caught_in_a_sweep_by("LAYOUT-4")
class ImagesHaveEightGammas(GoodLayer):
    def scale_and_shift(self, xhat: Array) -> Array:
        kept, places = self.gamma, np.arange(self.config.num_channels)
        self.gamma = kept[places % 8] if self.config.rank == 4 else kept
        y = super().scale_and_shift(xhat)
        self.gamma = kept
        return y


@caught_in_a_sweep_by("GRAD-5")
class TinyGradientsAreFlushed(GoodLayer):
    def backward(self, dy: Array) -> Gradients:
        return super().backward(np.where(np.abs(dy) < dy.dtype.type(1e-12), dy.dtype.type(0), dy))


@caught_in_a_sweep_by("FWD-2")
class NoEpsIsTheDefault(GoodLayer):
    def __init__(self, config: LayerConfig) -> None:
        super().__init__(config)
        self.eps = self.eps or 1e-5
