"""Deviations that accept vectors, states or ranks that are not those of the layer, and scratch in inference."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Mode
from bn_reference.layer.layer import PlainLayer


class _Resized(PlainLayer):
    """A layer that brings vectors to its own length where `fits` says so."""

    def fits(self, vector: Array) -> bool:
        """Whether a vector is brought to the layer's length."""
        return True

    def resized(self, vector: Array | None) -> Array | None:
        """A vector of the layer's length."""
        return vector if vector is None or not self.fits(vector) else np.resize(vector, self.config.num_channels)

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        """Set the resized gamma and beta."""
        super().set_parameters(self.resized(gamma), self.resized(beta))

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        """Set the resized statistics."""
        super().set_running_statistics(np.asarray(self.resized(mean)), np.asarray(self.resized(variance)))


@deviation("longer-vectors-cut", clause="ERR-5", effect="weights of another model load without an error", numeric=False)
class LongerVectorsCut(_Resized):
    """Of gamma, beta and statistics that are too long the first values are taken."""

    def fits(self, vector: Array) -> bool:
        """Whether it is too long."""
        return vector.size > self.config.num_channels


@deviation("one-value-for-all-channels", clause="ERR-6", effect="a scalar stands for a vector", numeric=False)
class OneValueForAll(_Resized):
    """Gamma, beta and statistics of one value are repeated for every channel."""

    def fits(self, vector: Array) -> bool:
        """Whether it is one value."""
        return vector.size == 1


@deviation(
    "load-not-strict", clause="ERR-7", effect="a checkpoint of another model loads without an error", numeric=False
)
class LoadNotStrict(_Resized):
    """Of a state what fits is loaded, and the rest ignored."""

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Load what there is, cut to the length of the layer."""
        own = self.state()
        kept = {name: state.get(name, own[name]) for name in own}
        super().load_state({name: np.resize(kept[name], own[name].shape) for name in own})

    def fits(self, vector: Array) -> bool:
        """Nothing is resized where it is set."""
        return False


@deviation(
    "any-rank-by-last-axis", clause="STATE-7", effect="sequences in a layer for vectors are normalised by position"
)
class AnyRankByLastAxis(PlainLayer):
    """An x of another rank is taken for rows of channels, as it lies in memory."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Normalise an x of another rank as rows of channels."""
        config = self.config
        if x.ndim == config.rank or x.ndim < 2 or x.dtype != self.storage or x.size % max(config.num_channels, 1):
            return super().forward_masked(x, mask, training)
        rows = self.wide(x.reshape(-1, config.num_channels))
        normalised = (rows - rows.mean(axis=0)) / np.sqrt(rows.var(axis=0) + self.eps)
        y = self.wide(self.gamma) * normalised + self.wide(self.beta)
        return self.store(y.reshape(x.shape), self.storage)


@deviation("inference-through-scratch", clause="PURE-6", effect="a server mixes up its requests", numeric=False)
class InferenceThroughScratch(PlainLayer):
    """Inference keeps the normalised values in the layer until y is made of them."""

    def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
        """Make y of what the layer holds, which another thread may have replaced."""
        if mode == "training":
            return super().scale_and_shift(normalised, mode)
        self.scratch = normalised
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.002)
        return super().scale_and_shift(self.scratch, mode)
