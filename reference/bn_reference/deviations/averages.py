"""Deviations of running statistics: with which weights the old and the new are averaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bn_reference.definition.running import Weights
from bn_reference.deviations import deviation
from bn_reference.deviations.rounding import FLOAT16, through
from bn_reference.layer.first_order import Array
from bn_reference.layer.layer import PlainLayer
from bn_reference.specification.config import CUMULATIVE

# With which weights.


def _weighing(
    name: str,
    sentence: str,
    effect: str,
    change: Callable[..., tuple[Any, Any]],
    clause: str = "STAT-1",
    link: str = "",
) -> None:
    """Register a layer with other weights: change(layer, old weight, new weight)."""

    class Weighing(PlainLayer):
        def weights(self) -> Weights:
            """Change the right weights."""
            exact = super().weights()
            return Weights(*change(self, exact.old, exact.new))

    Weighing.__doc__ = sentence
    deviation(name, clause=clause, effect=effect, link=link)(Weighing)


def _default(layer: PlainLayer) -> tuple[Any, Any]:
    """Give the weights of the default momentum, or of 0.1 where there is no default."""
    own, weighs = layer.convention.default_momentum, layer.convention.momentum_weighs
    new = layer.constant(0.1 if own is None else own if weighs == "new" else 1.0 - own)
    return layer.constant(1.0) - new, new


def _cumulative(name: str, sentence: str, effect: str, new: Callable[[int], float], link: str = "") -> None:
    """Register a layer whose cumulative average gives a batch the weight new(t), where t batches came before."""
    _weighing(
        name,
        sentence,
        effect,
        lambda layer, old, exact: (
            (layer.constant(1.0) - layer.constant(new(layer.updates)), layer.constant(new(layer.updates)))
            if layer.config.momentum == CUMULATIVE
            else (old, exact)
        ),
        clause="STAT-8",
        link=link,
    )


_weighing(
    "momentum-swapped",
    "The weights of the old and of the new statistic are swapped.",
    "running statistics follow the latest batch alone, and inference is noisy",
    lambda layer, old, new: (new, old),
    link="https://github.com/pytorch/vision/issues/8250",
)
_weighing(
    "momentum-ignored",
    "The default momentum is used, whatever was configured.",
    "running statistics follow faster or slower than configured",
    lambda layer, old, new: (old, new) if layer.config.momentum == CUMULATIVE else _default(layer),
    link="https://github.com/pytorch/pytorch/issues/18525",
)
_weighing(
    "momentum-squared",
    "momentum is applied twice to the new statistic.",
    "running statistics follow far too slowly",
    lambda layer, old, new: (layer.constant(1.0) - new * new, new * new),
)
_weighing(
    "old-statistic-not-decayed",
    "The new statistic is added to the whole old one.",
    "running statistics grow from batch to batch",
    lambda layer, old, new: (layer.constant(1.0), new),
)
_weighing(
    "new-statistic-not-weighed",
    "The whole new statistic is added to the decayed old one.",
    "running statistics settle at 1 / momentum times what they should be",
    lambda layer, old, new: (old, layer.constant(1.0)),
)
_weighing(
    "momentum-in-float16",
    "momentum is kept in float16.",
    "running statistics drift off slightly",
    lambda layer, old, new: (
        layer.constant(1.0) - through(layer, np.asarray(new), FLOAT16)[()],
        through(layer, np.asarray(new), FLOAT16)[()],
    ),
)
_weighing(
    "momentum-zero-as-default",
    "A momentum of 0 is taken for no momentum, that is for the default.",
    "statistics that should stay as they are move",
    lambda layer, old, new: _default(layer) if new == 0 else (old, new),
    clause="STAT-7",
)
_weighing(
    "momentum-one-as-zero",
    "A momentum of 1 is taken for no update.",
    "statistics that should become the batch's stay as they are",
    lambda layer, old, new: (
        (layer.constant(1.0), layer.constant(0.0)) if new == 1 and layer.config.momentum == 1 else (old, new)
    ),
    clause="STAT-7",
)
_weighing(
    "momentum-none-as-zero",
    "A layer built without momentum never moves its statistics.",
    "inference of a layer built with the defaults does not normalise",
    lambda layer, old, new: (layer.constant(1.0), layer.constant(0.0)) if layer.config.momentum is None else (old, new),
    clause="STAT-6",
)
_weighing(
    "momentum-warms-up",
    "While fewer than 1 / momentum batches were seen the average is a plain one.",
    "the first batches weigh more than configured",
    lambda layer, old, new: (
        (old, new)
        if layer.constant(1.0) / layer.constant(layer.updates + 1.0) < new
        else (
            layer.constant(1.0) - layer.constant(1.0) / layer.constant(layer.updates + 1.0),
            layer.constant(1.0) / layer.constant(layer.updates + 1.0),
        )
    ),
)
_weighing(
    "first-batch-taken-whole",
    "The first batch replaces the initial statistics.",
    "statistics that were set are lost at the first training step",
    lambda layer, old, new: (
        (layer.constant(0.0), layer.constant(1.0)) if layer.updates == 0 and new != 0 else (old, new)
    ),
)
_cumulative(
    "cumulative-counts-initial",
    "The cumulative average counts the initial value as a batch.",
    "the initial values keep a weight of 1 / (t + 1)",
    lambda before: 1.0 / (before + 2),
)
_cumulative(
    "cumulative-late-by-one",
    "The cumulative average forgets to count its first batch.",
    "the first batch is lost from the average",
    lambda before: 1.0 / max(before, 1),
)
_cumulative(
    "cumulative-as-one",
    "A cumulative average is taken for a momentum of 1.",
    "running statistics are those of the latest batch",
    lambda before: 1.0,
    link="https://github.com/pytorch/pytorch/issues/40074",
)
_cumulative(
    "cumulative-as-default",
    "A cumulative average is taken for the default momentum of 0.1.",
    "the initial values keep a weight for long",
    lambda before: 0.1,
)


def _one_of_two(name: str, statistic: str, sentence: str, effect: str, clause: str, whole: bool) -> None:
    """Register a layer with one wrong statistic: each batch replaces it, or it never moves."""

    class OneOfTwo(PlainLayer):
        def move(self, mean: Array, variance: Array, count: int) -> None:
            """Move both statistics, then overwrite one of them."""
            before = getattr(self, statistic)
            new = mean if statistic == "running_mean" else self.estimate(variance, count)
            super().move(mean, variance, count)
            setattr(self, statistic, self.store(new, self.statistics_dtype) if whole else before)

    OneOfTwo.__doc__ = sentence
    deviation(name, clause=clause, effect=effect)(OneOfTwo)


_one_of_two(
    "momentum-not-on-mean",
    "running_mean",
    "running_mean is replaced by the mean of each batch.",
    "inference is centred by the latest batch alone",
    "STAT-1",
    True,
)
_one_of_two(
    "momentum-not-on-variance",
    "running_var",
    "running_var is replaced by the variance of each batch.",
    "inference is scaled by the latest batch alone",
    "STAT-2",
    True,
)
_one_of_two(
    "mean-never-moves", "running_mean", "running_mean stays as it was.", "inference does not centre", "STAT-4", False
)
_one_of_two(
    "variance-never-moves", "running_var", "running_var stays as it was.", "inference does not scale", "STAT-4", False
)


def _debiased(name: str, sentence: str, effect: str, power: bool) -> None:
    """Register a layer that divides by 1 - keep ** t, or by 1 - keep, after each step."""

    class Debiased(PlainLayer):
        def move(self, mean: Array, variance: Array, count: int) -> None:
            """Move the statistics, then divide them."""
            keep = self.weights().old
            super().move(mean, variance, count)
            rest = self.constant(1.0) - (keep**self.updates if power else keep)
            if rest != 0:
                self.running_mean = self.store(self.wide(self.running_mean) / rest, self.statistics_dtype)
                self.running_var = self.store(self.wide(self.running_var) / rest, self.statistics_dtype)

    Debiased.__doc__ = sentence
    deviation(name, clause="STAT-1", effect=effect)(Debiased)


_debiased(
    "debiased-in-place",
    "The statistics are divided by 1 - keep ** t after each step and kept so.",
    "running statistics explode within a few steps",
    True,
)
_debiased(
    "debiased-without-time",
    "The statistics are divided by 1 - keep after each step.",
    "running statistics explode within a few steps",
    False,
)


@deviation("initial-mean-one", clause="STAT-3", effect="a fresh layer shifts in inference")
class InitialMeanOne(PlainLayer):
    """running_mean starts at 1."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.running_mean = np.ones_like(self.running_mean)


@deviation(
    "running-var-at-least-1e-10", clause="STAT-2", effect="channels that hardly vary are scaled down in inference"
)
class RunningVarianceFloored(PlainLayer):
    """A running variance below 1e-10 is kept as 1e-10."""

    def move(self, mean: Array, variance: Array, count: int) -> None:
        """Move the statistics, and put a floor under the variance."""
        super().move(mean, variance, count)
        floored = np.maximum(self.wide(self.running_var), self.constant(1e-10))
        self.running_var = self.store(floored, self.statistics_dtype)
