"""Deviations of sequences: what freezing and loading leave behind, and what an odd batch does to those after it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bn_reference.definition.graph import RowGradients
from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Saved
from bn_reference.layer.layer import PlainLayer

# Freezing and loading.


@deviation("frozen-is-saved", clause="STATE-3", effect="a model loaded for further training does not train")
class FrozenIsSaved(PlainLayer):
    """Being frozen is saved, and a layer that loads the state of a frozen one is frozen."""

    def state(self) -> Mapping[str, Array]:
        """Save whether the layer is frozen."""
        return {**super().state(), "frozen": np.array(self.frozen)}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Load whether the layer is frozen."""
        super().load_state({name: array for name, array in state.items() if name != "frozen"})
        self.frozen = bool(state.get("frozen", False))


@deviation("freeze-keeps-statistics", clause="STATE-6", effect="statistics loaded into a frozen layer have no effect")
class FreezeKeepsStatistics(PlainLayer):
    """A frozen layer normalises by the running statistics that it had when it was frozen, whatever is set later."""

    frozen_statistics: tuple[Array, Array] | None = None

    def freeze(self) -> None:
        """Freeze the layer, and keep its statistics."""
        super().freeze()
        self.frozen_statistics = self.running_mean, self.running_var

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Normalise a frozen layer by the statistics that were kept."""
        if not self.frozen or self.frozen_statistics is None:
            return super().normalisers(x, mask, training)
        now = self.running_mean, self.running_var
        self.running_mean, self.running_var = self.frozen_statistics
        try:
            return super().normalisers(x, mask, training)
        finally:
            self.running_mean, self.running_var = now


@deviation("gamma-loaded-in-format-of-x", clause="STATE-2", effect="a loaded layer has lost digits of its parameters")
class GammaLoadedInFormatOfX(PlainLayer):
    """gamma is rounded to the format of x when it is loaded."""

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Round gamma, then load it."""
        super().load_state({**state, "gamma": state["gamma"].astype(self.storage).astype(self.parameters)})


# Odd batches and settings.


@deviation("empty-batch-counts", clause="EDGE-2", effect="a cumulative average is off after an empty batch")
class EmptyBatchCounts(PlainLayer):
    """An empty batch counts as a step, although nothing moves."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Count an empty batch, and do nothing else."""
        if x.size or not training or not self.config.num_channels:
            return super().forward_masked(x, mask, training)
        self.updates += 1
        return x.copy()


@deviation("non-finite-statistics-reset", clause="EDGE-4", effect="a model that has broken down looks like a new one")
class NonFiniteStatisticsReset(PlainLayer):
    """Running statistics that are not finite are set back to 0 and 1 in the next training step."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Set statistics that are not finite back, then move."""
        broken = ~np.isfinite(self.running_mean.astype(np.float64) + self.running_var.astype(np.float64))
        self.running_mean = np.where(broken, np.zeros_like(self.running_mean), self.running_mean)
        self.running_var = np.where(broken, np.ones_like(self.running_var), self.running_var)
        super().move(mean, variance, count)


def _past_statistics(momentum: float) -> None:
    """Register a layer whose dx lacks its terms with one momentum."""

    class PastStatistics(PlainLayer):
        def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
            """Compute dx as in inference, with that momentum."""
            if self.config.momentum == momentum:
                return np.asarray(self.outer_scale(saved) * dy)
            return super().dx(dy, normalised, saved)

    PastStatistics.__doc__ = f"With a weight of {momentum:g} of the new statistic dx is that of inference."
    deviation(
        f"gradient-past-statistics-at-momentum-{momentum:g}",
        clause="GRAD-1",
        effect="a setting of the average changes how a network learns",
    )(PastStatistics)


_past_statistics(0.0)
_past_statistics(1.0)


@deviation(
    "y-is-saved-without-affine", clause="PURE-7", effect="an activation in place spoils the gradients", numeric=False
)
class YIsSavedWithoutAffine(PlainLayer):
    """Without gamma and beta backward takes the y that it handed out for the normalised values."""

    callers_y: Array | None = None

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Keep the y that the caller gets."""
        self.callers_y = super().forward_masked(x, mask, training)
        return self.callers_y

    def backward(self, dy: Array) -> RowGradients:
        """Compute the normalised values from that y, where the layer has no parameters."""
        saved = self.saved
        plain = not (self.config.gamma or self.config.beta)
        if plain and saved is not None and self.callers_y is not None and saved.mode == "training":
            whole = self.rows_of(self.callers_y) / saved.inverse + saved.mean
            self.saved = Saved(whole, saved.mean, saved.inverse, saved.counted, saved.mode, saved.shape, saved.gamma)
        return super().backward(dy)
