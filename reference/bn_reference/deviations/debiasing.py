"""Deviations of debiased averages: of layers that declare `zero-debias` and weigh the batches otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bn_reference.definition.running import Weights, weights_of
from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer
from bn_reference.specification.config import CUMULATIVE

_ZERO_DEBIAS = {"debiasing": "zero-debias"}
_EARLY = "models that are evaluated early, or trained for few steps, use wrong statistics"

Change = Callable[[Any, Any, int, Weights], Weights]
"""(keep, new, updates before, exact weights) to deviating ones, in binary128."""


class _Weighing(PlainLayer):
    """The plain weights, and others made of them."""

    def plain_weights(self) -> Weights:
        """Give the weights of an average that is not debiased."""
        return weights_of(self.config, replace(self.convention, debiasing="none"), self.updates)

    def changed(self, change: Change) -> Weights:
        """Give the weights that a change makes, in the working dtype."""
        plain, exact = self.plain_weights(), weights_of(self.config, self.convention, self.updates)
        if self.config.momentum == CUMULATIVE or plain.new == 0:
            return Weights(self.constant(exact.old), self.constant(exact.new))
        deviating = change(plain.old, plain.new, self.updates, exact)
        return Weights(self.constant(deviating.old), self.constant(deviating.new))


def _weights(name: str, sentence: str, change: Change) -> None:
    """Register a layer with other weights."""

    class Changed(_Weighing):
        def weights(self) -> Weights:
            """Give the changed weights."""
            return self.changed(change)

    Changed.__doc__ = sentence
    deviation(name, clause="STAT-9", effect=_EARLY, requires=_ZERO_DEBIAS)(Changed)


def _behind(keep: Any, new: Any, before: int, exact: Weights) -> Weights:
    """Divide by 1 - keep ** (t + 1) instead of 1 - keep ** t."""
    after = 1 - keep ** (before + 2)
    return Weights(keep * (1 - keep ** (before + 1)) / after if before else keep * 0, new / after)


_weights(
    "debias-keeps-initial",
    "The hidden average starts at the initial values, and is debiased all the same.",
    lambda keep, new, before, exact: exact if before else Weights(keep / new, new / new),
)
_weights("debias-a-step-behind", "The average is divided by 1 - keep ** (t + 1).", _behind)
_weights(
    "debias-as-cumulative",
    "Every batch has the same weight, as in a cumulative average.",
    lambda keep, new, before, exact: Weights(new * 0 + before / (before + 1.0), new * 0 + 1 / (before + 1.0)),
)
_weights(
    "debias-missing",
    "The hidden average, which starts at 0, is used as it is.",
    lambda keep, new, before, exact: Weights(keep if before else keep * 0, new),
)
_weights(
    "debias-keep-for-new",
    "The power is that of the weight of the new statistic: 1 - new ** t.",
    lambda keep, new, before, exact: Weights(
        keep * (1 - new**before) / (1 - new ** (before + 1)), new / (1 - new ** (before + 1))
    ),
)


@deviation("debias-mean-alone", clause="STAT-9", effect=_EARLY, requires=_ZERO_DEBIAS)
class DebiasMeanAlone(_Weighing):
    """The running variance is not debiased: its initial value keeps its weight."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Move the variance as without debiasing."""
        before, plain = self.running_var, self.plain_weights()
        super().move(mean, variance, count)
        if self.config.momentum != CUMULATIVE:
            weights = Weights(self.constant(plain.old), self.constant(plain.new))
            self.running_var = self.blend(before, self.estimate(variance, count), weights)


@deviation(
    "debias-count-lost",
    clause="STAT-9",
    effect="a model that goes on training forgets its statistics",
    requires=_ZERO_DEBIAS,
)
class DebiasCountLost(PlainLayer):
    """The number of steps is not saved: a loaded layer starts to count at 0."""

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Load the state, then set the number of steps to 0."""
        super().load_state(state)
        self.updates = 0


@deviation(
    "debias-count-not-loaded",
    clause="STAT-9",
    effect="a model that goes on training weighs batches wrongly",
    requires=_ZERO_DEBIAS,
)
class DebiasCountNotLoaded(PlainLayer):
    """A layer that loads keeps its own number of steps."""

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Load all but the number of steps."""
        own = self.updates
        super().load_state(state)
        self.updates = own


@deviation(
    "debias-counts-inference",
    clause="STAT-9",
    effect="looking at a model changes how it goes on training",
    requires=_ZERO_DEBIAS,
)
class DebiasCountsInference(PlainLayer):
    """Inference counts as a step."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Count a step in inference too."""
        y = super().forward_masked(x, mask, training)
        self.updates += not self.uses_batch(training)
        return y


@deviation(
    "debias-cumulative-too", clause="STAT-9", effect="cumulative averages grow with every step", requires=_ZERO_DEBIAS
)
class DebiasCumulativeToo(PlainLayer):
    """A cumulative average is divided by 1 - (1 - 1 / t) ** t, although its initial values have no weight."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Move the statistics, then divide a cumulative average."""
        super().move(mean, variance, count)
        if self.config.momentum == CUMULATIVE and self.updates > 1:
            share = 1.0 - (1.0 - 1.0 / self.updates) ** self.updates
            self.running_mean = self.store(self.wide(self.running_mean) / self.constant(share), self.statistics_dtype)
            self.running_var = self.store(self.wide(self.running_var) / self.constant(share), self.statistics_dtype)
