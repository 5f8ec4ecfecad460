"""Deviations of masks: counted positions that are not, others that are, and backward passes that forgot the mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Saved
from bn_reference.layer.layer import PlainLayer

# Which positions count.


def _counting(
    name: str, sentence: str, effect: str, change: Callable[[PlainLayer, Array], Array], clause: str = "MASK-1"
) -> None:
    """Register a layer that replaces the mask that it is given by change(layer, mask)."""

    class Counting(PlainLayer):
        def counted(self, x: Array, mask: Array | None) -> Array:
            """Count by the changed mask."""
            return super().counted(x, None if mask is None else change(self, mask))

    Counting.__doc__ = sentence
    deviation(name, clause=clause, effect=effect)(Counting)


def _swapped(layer: PlainLayer, mask: Array) -> Array:
    """Exchange two axes of the mask: the first two of equal size, channels aside."""
    axes = [axis for axis in range(mask.ndim) if axis != layer.config.channel_axis]
    pairs = [(one, other) for one in axes for other in axes if one < other and mask.shape[one] == mask.shape[other]]
    return mask.swapaxes(*pairs[0]) if pairs else mask


_PADDING = "padding leaks into the statistics, the more the shorter the sequences are"
_counting("mask-ignored", "The mask is ignored.", _PADDING, lambda layer, mask: np.ones_like(mask))
_counting(
    "mask-inverted",
    "The positions that do not count are counted.",
    "statistics are those of the padding",
    lambda layer, mask: ~mask,
)
_counting(
    "mask-along-wrong-axis",
    "The mask lies along another axis of the same size.",
    "the wrong positions count, without an error where sizes happen to agree",
    _swapped,
)
_counting(
    "mask-of-first-entry",
    "The mask of the first entry is that of all.",
    _PADDING,
    lambda layer, mask: np.broadcast_to(mask[:1], mask.shape),
)
_counting(
    "mask-of-whole-entries",
    "An entry counts as a whole where its first position does.",
    _PADDING,
    lambda layer, mask: (
        np.broadcast_to(mask.reshape(len(mask), -1)[:, :1].reshape(-1, *[1] * (mask.ndim - 1)), mask.shape)
        if mask.size
        else mask
    ),
)


@deviation("mask-kept", clause="MASK-1", effect="only the first batch of a run is masked rightly")
class MaskKept(PlainLayer):
    """The first mask is used for every later one of the same shape."""

    first_mask: Array | None = None

    def counted(self, x: Array, mask: Array | None) -> Array:
        """Count by the first mask of this shape."""
        if mask is not None:
            if self.first_mask is None or self.first_mask.shape != mask.shape:
                self.first_mask = mask
            mask = self.first_mask
        return super().counted(x, mask)


# What is made of them.


@deviation("mask-in-mean-alone", clause="MASK-1", effect=_PADDING)
class MaskInMeanAlone(PlainLayer):
    """The variance is over all positions."""

    def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
        """Take the variance over all positions."""
        return super().variance_of(rows, mean, np.ones_like(counted))


@deviation("mask-in-variance-alone", clause="MASK-1", effect=_PADDING)
class MaskInVarianceAlone(PlainLayer):
    """The mean is over all positions."""

    def mean_of(self, rows: Array, counted: Array) -> Array:
        """Take the mean over all positions."""
        return super().mean_of(rows, np.ones_like(counted))


@deviation("mask-divides-by-all", clause="MASK-1", effect="statistics shrink with the share of padding")
class MaskDividesByAll(PlainLayer):
    """Sums over the counted positions are divided by the number of all."""

    def count(self, counted: Array) -> Any:
        """Give the number of all positions."""
        return self.constant(float(counted.size))


@deviation("mask-count-plus-epsilon", clause="MASK-1", effect="float64 statistics are off by 1e-7 of their size")
class MaskCountPlusEpsilon(PlainLayer):
    """The number of counted positions has 1e-7 added, so that it is never 0."""

    masked = False

    def counted(self, x: Array, mask: Array | None) -> Array:
        """Note whether there is a mask."""
        self.masked = mask is not None
        return super().counted(x, mask)

    def count(self, counted: Array) -> Any:
        """Add 1e-7 to the number of counted positions."""
        return super().count(counted) + self.constant(1e-7 if self.masked else 0.0)


@deviation("masked-values-are-zeros", clause="MASK-1", effect="statistics are drawn to zero by the share of padding")
class MaskedValuesAreZeros(PlainLayer):
    """Values that do not count are set to zero, and counted."""

    def mean_of(self, rows: Array, counted: Array) -> Array:
        """Take the mean over all positions, with zeros where they do not count."""
        return super().mean_of(np.where(counted, rows, self.constant(0.0)), np.ones_like(counted))

    def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
        """Take the variance over all positions, with zeros where they do not count."""
        return super().variance_of(np.where(counted, rows, self.constant(0.0)), mean, np.ones_like(counted))


@deviation("mask-multiplied", clause="MASK-6", effect="one NaN in the padding spoils the whole channel")
class MaskMultiplied(PlainLayer):
    """Values are multiplied by the mask, and NaN times 0 is NaN."""

    def mean_of(self, rows: Array, counted: Array) -> Array:
        """Take the mean of the products of values and mask."""
        products = rows * self.wide(counted.astype(np.float64))
        share = self.constant(float(counted.size)) / self.count(counted)
        return np.asarray(super().mean_of(products, np.ones_like(counted)) * share)


@deviation("masked-running-var-over-all", clause="MASK-2", effect="the running variance of padded batches is too small")
class MaskedRunningVarOverAll(PlainLayer):
    """The unbiased running variance has n / (n - 1) of all positions."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Correct the variance by the number of all positions."""
        super().move(mean, variance, int(self.batch_values()))


@deviation("masked-step-moves-nothing", clause="MASK-2", effect="running statistics of padded data are never learnt")
class MaskedStepMovesNothing(PlainLayer):
    """Running statistics do not move in a step with a mask."""

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Put the running statistics back after a step with a mask."""
        before = self.running_mean, self.running_var, self.updates
        saved = super().normalisers(x, mask, training)
        if mask is not None:
            self.running_mean, self.running_var, self.updates = before
            self.pending = None
        return saved


def _empty(name: str, sentence: str, effect: str, value: float) -> None:
    """Register a layer whose mean and variance have this value where a mask hides every position."""

    class Empty(PlainLayer):
        def check_count(self, count: int) -> None:
            """Accept a mask that counts nothing."""
            if count:
                super().check_count(count)

        def mean_of(self, rows: Array, counted: Array) -> Array:
            """Give the value where nothing counts."""
            mean = super().mean_of(rows, counted)
            return mean if counted.any() else np.full_like(mean, self.constant(value))

        def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
            """Give the value where nothing counts."""
            variance = super().variance_of(rows, mean, counted)
            return variance if counted.any() else np.full_like(variance, self.constant(value))

    Empty.__doc__ = sentence
    deviation(name, clause="MASK-5", effect=effect)(Empty)


_empty(
    "empty-mask-spoils-statistics",
    "A mask that counts nothing makes the running statistics NaN.",
    "one empty batch ends the training",
    float("nan"),
)
_empty(
    "empty-mask-draws-to-zero",
    "A mask that counts nothing moves the running statistics toward 0.",
    "empty batches shrink the running variance",
    0.0,
)


# y where nothing counts.


def _hidden(name: str, sentence: str, effect: str, clause: str, training: bool, value: Callable[..., Array]) -> None:
    """Register a layer whose y is value(x) at positions that do not count, in one of the modes."""

    class Hidden(PlainLayer):
        def forward_masked(self, x: Array, mask: Array | None, training_: bool) -> Array:
            """Replace y at positions that do not count."""
            y = super().forward_masked(x, mask, training_)
            if mask is None or training_ != training:
                return y
            return np.asarray(np.where(mask, y, value(x)).astype(y.dtype))

    Hidden.__doc__ = sentence
    deviation(name, clause=clause, effect=effect)(Hidden)


_hidden(
    "masked-y-zero",
    "y is 0 where positions do not count.",
    "layers above see other padding",
    "MASK-7",
    True,
    np.zeros_like,
)
_hidden(
    "masked-y-is-x",
    "y is x where positions do not count.",
    "layers above see unnormalised padding",
    "MASK-7",
    True,
    np.asarray,
)
_hidden(
    "masked-y-zero-in-inference",
    "In inference y is 0 where positions do not count.",
    "outputs in use depend on the mask",
    "MASK-8",
    False,
    np.zeros_like,
)


@deviation("mask-turns-inference-to-training", clause="MASK-8", effect="outputs in use depend on the batch")
class MaskTurnsInferenceToTraining(PlainLayer):
    """Inference with a mask normalises by the statistics of the batch."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Run a training forward, then put the running statistics back."""
        if training or mask is None or not mask.sum() > 1:
            return super().forward_masked(x, mask, training)
        before = self.running_mean, self.running_var, self.updates
        y = super().forward_masked(x, mask, True)
        self.running_mean, self.running_var, self.updates = before
        return y
