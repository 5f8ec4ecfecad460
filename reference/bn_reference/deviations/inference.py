"""Deviations of inference: other statistics, another eps, and scales that were folded too early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Mode, Saved
from bn_reference.layer.layer import PlainLayer

# Other statistics.


@deviation(
    "inference-uses-batch",
    clause="EVAL-1",
    effect="results depend on what else is in the batch, as when eval() was forgotten",
)
class InferenceUsesBatch(PlainLayer):
    """Inference normalises by the statistics of its own batch."""

    def uses_batch(self, training: bool) -> bool:
        """Use the batch in every mode."""
        return True


def _from_batch(name: str, sentence: str, effect: str, mean_share: float, variance_share: float) -> None:
    """Register a layer whose inference mixes statistics of its batch into the running ones."""

    class FromBatch(PlainLayer):
        def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
            """Mix statistics of the batch into those of inference."""
            saved = super().normalisers(x, mask, training)
            if saved.mode == "training" or not saved.counted.sum():
                return saved
            mean = self.mean_of(saved.rows, saved.counted)
            batch = self.variance_of(saved.rows, mean, saved.counted)
            new_mean, old_mean = self.constant(mean_share), self.constant(1.0 - mean_share)
            new_variance, old_variance = self.constant(variance_share), self.constant(1.0 - variance_share)
            variance = old_variance * self.column(self.running_var) + new_variance * batch
            mean = old_mean * saved.mean + new_mean * mean
            return replace(saved, mean=mean, inverse=self.normaliser(variance, "inference"))

    FromBatch.__doc__ = sentence
    deviation(name, clause="EVAL-3", effect=effect)(FromBatch)


_from_batch(
    "inference-blends-batch",
    "Inference mixes half of its batch's statistics into the running ones.",
    "results depend on what else is in the batch",
    0.5,
    0.5,
)
_from_batch(
    "inference-centres-by-batch",
    "Inference subtracts the mean of its own batch.",
    "a constant image is always black",
    1.0,
    0.0,
)
_from_batch(
    "inference-scales-by-batch",
    "Inference divides by the deviation of its own batch.",
    "results depend on what else is in the batch",
    0.0,
    1.0,
)


@deviation(
    "single-image-normalised-by-itself",
    clause="EVAL-3",
    effect="images give other results one by one than in a batch",
)
class SingleImageByItself(PlainLayer):
    """Inference on a batch of one image uses the statistics of that image."""

    def uses_batch(self, training: bool) -> bool:
        """Use the batch in inference too, where it is one image of more than one pixel."""
        alone = len(self.shape) > 2 and self.shape[0] == 1 and not self.frozen
        return super().uses_batch(training) or (alone and not training)


@deviation(
    "mode-lags-by-one",
    clause="EVAL-1",
    effect="the first batch after a switch of mode runs in the wrong one",
)
class ModeLagsByOne(PlainLayer):
    """Each call runs in the mode of the call before."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Run in the mode of the call before."""
        previous, self.previous = getattr(self, "previous", training), training
        return super().forward_masked(x, mask, previous)


@deviation(
    "inference-a-step-behind",
    clause="STATE-1",
    effect="results in use are those of the model one step earlier",
)
class InferenceAStepBehind(PlainLayer):
    """Inference uses the running statistics from before the last update."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Keep the statistics from before the update."""
        self.before_update: tuple[Array, Array] | None = self.running_mean, self.running_var
        super().move(mean, variance, count)

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        """Forget what was kept: there is no update before statistics that are set."""
        self.before_update = None
        super().set_running_statistics(mean, variance)

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Normalise by the statistics from before the update, in inference."""
        saved, before = super().normalisers(x, mask, training), getattr(self, "before_update", None)
        if saved.mode == "training" or before is None:
            return saved
        inverse = self.normaliser(self.column(before[1]), "inference")
        return replace(saved, mean=self.column(before[0]), inverse=inverse)


# What is made of the running variance.


def _normalising(
    name: str, sentence: str, effect: str, change: Callable[..., Array], clause: str = "EVAL-1", link: str = ""
) -> None:
    """Register a layer whose inference has another normaliser: change(layer, variance)."""

    class Normalising(PlainLayer):
        def normaliser(self, variance: Array, mode: Mode) -> Array:
            """Change the normaliser in inference."""
            if mode == "training":
                return super().normaliser(variance, mode)
            return np.asarray(change(self, variance))

    Normalising.__doc__ = sentence
    deviation(name, clause=clause, effect=effect, link=link)(Normalising)


def _inverse(layer: PlainLayer, under_root: Array) -> Array:
    return np.asarray(1 / layer.root(under_root))


_normalising(
    "inference-root-missing",
    "Inference divides by the running variance.",
    "outputs are right only near variance one",
    lambda layer, variance: 1 / (variance + layer.eps_in("inference")),
)
_normalising(
    "inference-eps-missing",
    "Inference adds no eps.",
    "channels of small variance are larger in use than in training",
    lambda layer, variance: _inverse(layer, variance),
    "EVAL-2",
    "https://github.com/chainer/chainer/pull/2214",
)
_normalising(
    "inference-eps-twice",
    "Inference adds eps twice.",
    "channels of small variance shrink in use",
    lambda layer, variance: _inverse(layer, variance + layer.eps + layer.eps),
    "EVAL-2",
    "https://github.com/chainer/chainer/pull/4505",
)
_normalising(
    "inference-eps-fixed",
    "Inference uses an eps of 1e-5, whatever was configured.",
    "a model trained with another eps gives other outputs after an export",
    lambda layer, variance: _inverse(layer, variance + layer.constant(1e-5)),
    "EVAL-2",
)
_normalising(
    "inference-eps-outside-root",
    "Inference adds eps to the deviation.",
    "channels of small variance are off in use and right in training",
    lambda layer, variance: 1 / (layer.root(variance) + layer.eps_in("inference")),
    "EVAL-2",
)
_normalising(
    "inference-variance-floor",
    "Inference takes a running variance below 1e-5 for 1e-5.",
    "channels of tiny variance come out too small",
    lambda layer, variance: _inverse(layer, np.maximum(variance, layer.constant(1e-5)) + layer.eps_in("inference")),
)
_normalising(
    "inference-variance-ceiling",
    "Inference takes a running variance above 1e4 for 1e4.",
    "channels of large variance come out too large",
    lambda layer, variance: _inverse(layer, np.minimum(variance, layer.constant(1e4)) + layer.eps_in("inference")),
)
_normalising(
    "inference-variance-ignored",
    "Inference does not divide by the running deviation.",
    "outputs keep their scale",
    lambda layer, variance: _inverse(layer, variance * layer.constant(0.0) + layer.constant(1.0)),
)
_normalising(
    "inference-bessel-again",
    "Inference corrects the running variance by n / (n - 1) of its own batch.",
    "results depend on the size of the batch",
    lambda layer, variance: _inverse(
        layer,
        variance * layer.constant(layer.batch_values() / max(layer.batch_values() - 1.0, 1.0))
        + layer.eps_in("inference"),
    ),
    "EVAL-3",
)


@deviation("inference-mean-ignored", clause="EVAL-1", effect="outputs keep the mean of their channel")
class InferenceMeanIgnored(PlainLayer):
    """Inference does not subtract the running mean."""

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Normalise by a mean of zero in inference."""
        saved = super().normalisers(x, mask, training)
        return saved if saved.mode == "training" else replace(saved, mean=saved.mean * self.constant(0.0))


@deviation("inference-statistics-swapped", clause="EVAL-1", effect="NaN where a running mean is negative")
class InferenceStatisticsSwapped(PlainLayer):
    """Inference takes the running mean for the variance and the variance for the mean."""

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Take each running statistic for the other, in inference."""
        saved = super().normalisers(x, mask, training)
        if saved.mode == "training":
            return saved
        inverse = self.normaliser(self.column(self.running_mean), "inference")
        return replace(saved, mean=self.column(self.running_var), inverse=inverse)
