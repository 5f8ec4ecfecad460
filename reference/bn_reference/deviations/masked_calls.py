"""Deviations of masks, and of the second order, that show only together with something else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bn_reference.definition.graph import RowGradients
from bn_reference.definition.running import Weights
from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Saved
from bn_reference.layer.layer import PlainLayer
from bn_reference.layer.second_order import SecondOrderTerms


@deviation("frozen-layer-trains-with-mask", clause="STATE-3", effect="fine-tuning on padded data moves statistics")
class FrozenLayerTrainsWithMask(PlainLayer):
    """A frozen layer trains where it is given a mask."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Thaw the layer for a training step with a mask."""
        frozen, self.frozen = self.frozen, self.frozen and (mask is None or not training)
        try:
            return super().forward_masked(x, mask, training)
        finally:
            self.frozen = frozen


@deviation("masked-steps-weigh-a-tenth", clause="MASK-2", effect="averages of padded data have uneven weights")
class MaskedStepsWeighATenth(PlainLayer):
    """Masked steps of a cumulative average weigh 0.1."""

    masked = False

    def counted(self, x: Array, mask: Array | None) -> Array:
        """Note whether there is a mask."""
        self.masked = mask is not None
        return super().counted(x, mask)

    def weights(self) -> Weights:
        """Give a masked step of a cumulative average the weight 0.1."""
        if self.masked and self.config.momentum == "cumulative":
            return Weights(self.constant(0.9), self.constant(0.1))
        return super().weights()


@deviation("dx-mask-ignored-without-affine", clause="MASK-3", effect="layers without gamma and beta learn from padding")
class DxMaskIgnoredWithoutAffine(PlainLayer):
    """In a layer without gamma and beta, dx ignores the mask."""

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Take every position for one that counts."""
        if not (self.config.gamma or self.config.beta):
            saved = replace(saved, counted=np.ones_like(saved.counted))
        return super().dx(dy, normalised, saved)


@deviation("mask-forgotten-in-second-backward", clause="MASK-3", effect="gradients that are asked for twice differ")
class MaskForgottenInSecondBackward(PlainLayer):
    """A second backward of the same forward ignores the mask."""

    def backward(self, dy: Array) -> RowGradients:
        """Give the gradients, then forget the mask."""
        gradients, saved = super().backward(dy), self.saved
        self.saved = None if saved is None else replace(saved, counted=np.ones_like(saved.counted))
        return gradients


def _ignored_beyond(count: int) -> None:
    """Register a layer that ignores masks of more positions than a count."""

    class IgnoredBeyond(PlainLayer):
        def counted(self, x: Array, mask: Array | None) -> Array:
            """Ignore the mask where it has too many positions."""
            return super().counted(x, None if mask is not None and mask.size > count else mask)

    IgnoredBeyond.__doc__ = f"A mask of more than {count} positions is ignored."
    deviation(
        f"mask-ignored-beyond-{count}", clause="MASK-1", effect="padding leaks into the statistics of long sequences"
    )(IgnoredBeyond)


_ignored_beyond(128)
_ignored_beyond(1000)


@deviation("counted-nan-is-zero", clause="EDGE-4", effect="a model that has broken down goes unnoticed on padded data")
class CountedNanIsZero(PlainLayer):
    """With a mask, NaN at positions that count is taken for 0 in the statistics."""

    masked = False

    def counted(self, x: Array, mask: Array | None) -> Array:
        """Note whether there is a mask."""
        self.masked = mask is not None
        return super().counted(x, mask)

    def mean_of(self, rows: Array, counted: Array) -> Array:
        """Take zero for NaN in the mean, with a mask."""
        return super().mean_of(self._numbers(rows), counted)

    def variance_of(self, rows: Array, mean: Array, counted: Array) -> Array:
        """Take zero for NaN in the variance, with a mask."""
        return super().variance_of(self._numbers(rows), mean, counted)

    def _numbers(self, rows: Array) -> Array:
        return np.where(np.isnan(rows), self.constant(0.0), rows) if self.masked else rows


@deviation(
    "mask-kept-by-reference",
    clause="PURE-7",
    effect="a mask whose buffer is used again spoils gradients",
    numeric=False,
)
class MaskKeptByReference(PlainLayer):
    """Backward reads the caller's mask again."""

    callers_mask: Array | None = None

    def counted(self, x: Array, mask: Array | None) -> Array:
        """Keep the caller's mask."""
        self.callers_mask = mask
        return super().counted(x, mask)

    def backward(self, dy: Array) -> RowGradients:
        """Read the caller's mask as it is at the backward."""
        if self.saved is not None and self.callers_mask is not None:
            self.saved = replace(self.saved, counted=super().counted(dy, self.callers_mask))
        return super().backward(dy)


@deviation("second-order-zero-where-constant", clause="SECOND-1", effect="gradient penalties stop at dead channels")
class SecondOrderZeroWhereConstant(PlainLayer):
    """ds_dx is 0 in channels that are constant."""

    def second_x(self, terms: SecondOrderTerms) -> Array:
        """Give 0 in channels that are constant."""
        constant = np.ptp(terms.saved.rows, axis=1, keepdims=True) == 0 if terms.saved.rows.size else False
        return np.where(constant, self.constant(0.0), super().second_x(terms))


@deviation("second-order-doubled-at-small-eps", clause="SECOND-1", effect="gradient penalties are twice as large")
class SecondOrderDoubledAtSmallEps(PlainLayer):
    """ds_dx is doubled where eps is below 1e-4."""

    def second_x(self, terms: SecondOrderTerms) -> Array:
        """Double the result where eps is small."""
        rows = super().second_x(terms)
        return np.asarray(rows + rows) if self.eps < 1e-4 else rows
