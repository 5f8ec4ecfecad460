"""Deviations of gradients that belong to another mode: inference, training or frozen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bn_reference.definition.graph import RowGradients
from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Saved
from bn_reference.layer.layer import PlainLayer

# Modes.


@deviation(
    "inference-gradient-through-batch",
    clause="GRAD-4",
    effect="gradients of a model in use, as for saliency or adversarial examples, are wrong",
    link="https://github.com/pytorch/xla/issues/913",
)
class InferenceGradientThroughBatch(PlainLayer):
    """dx in inference is that of training, through statistics that are constants."""

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Compute dx as in training."""
        return super().dx(dy, normalised, replace(saved, mode="training"))


@deviation("inference-gradient-centred", clause="GRAD-4", effect="a constant dy gives no gradient in use")
class InferenceGradientCentred(PlainLayer):
    """dx in inference lacks its mean."""

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Subtract the mean of dx in inference."""
        dx = super().dx(dy, normalised, saved)
        return dx - self.total(dx, "dbeta") / self.count(saved.counted) if saved.mode == "inference" else dx


@deviation(
    "frozen-gradient-through-batch",
    clause="GRAD-4",
    effect="fine-tuning with frozen layers converges worse",
)
class FrozenGradientThroughBatch(PlainLayer):
    """dx of a frozen layer flows through the statistics as if they were the batch's."""

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Compute dx of a frozen layer as in training."""
        return super().dx(dy, normalised, replace(saved, mode="training") if self.frozen else saved)


@deviation(
    "frozen-parameters-without-gradient", clause="GRAD-4", effect="gamma and beta of a frozen layer do not learn"
)
class FrozenParametersWithoutGradient(PlainLayer):
    """dgamma and dbeta of a frozen layer are zero."""

    def dgamma(self, dy: Array, normalised: Array) -> Array:
        """Give zero where the layer is frozen."""
        return np.asarray(super().dgamma(dy, normalised) * self.constant(0.0 if self.frozen else 1.0))

    def dbeta(self, dy: Array) -> Array:
        """Give zero where the layer is frozen."""
        return np.asarray(super().dbeta(dy) * self.constant(0.0 if self.frozen else 1.0))


@deviation(
    "inference-backward-by-batch",
    clause="GRAD-4",
    effect="gradients in use depend on what else is in the batch",
    link="https://github.com/torch/nn/pull/768",
)
class InferenceBackwardByBatch(PlainLayer):
    """Backward of an inference uses the mean and deviation of the batch."""

    def backward(self, dy: Array) -> RowGradients:
        """Use the statistics of the batch in a backward of inference."""
        saved = self.saved
        if saved is not None and saved.mode == "inference" and saved.rows.size:
            mean = self.mean_of(saved.rows, saved.counted)
            inverse = self.normaliser(self.variance_of(saved.rows, mean, saved.counted), "training")
            self.saved = replace(saved, mean=mean, inverse=inverse)
        return super().backward(dy)


@deviation("training-dgamma-by-running-statistics", clause="GRAD-2", effect="gamma learns from other values than y's")
class TrainingDgammaByRunningStatistics(PlainLayer):
    """dgamma in training is summed over x normalised by the running statistics."""

    def dgamma(self, dy: Array, normalised: Array) -> Array:
        """Normalise x by the running statistics."""
        assert self.saved is not None
        inverse = self.normaliser(self.column(self.running_var), self.saved.mode)
        return super().dgamma(dy, (self.saved.rows - self.column(self.running_mean)) * inverse)


@deviation("dy-scaled-to-largest", clause="GRAD-5", effect="one batch without a loss turns a model to NaN")
class DyScaledToLargest(PlainLayer):
    """dy is divided by its largest magnitude and the gradients multiplied by it, also where it is zero."""

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Divide dy by its largest magnitude, and multiply dx by it."""
        largest = np.abs(dy).max() if dy.size else self.constant(1.0)
        return np.asarray(super().dx(dy / largest, normalised, saved) * largest)
