"""A running average in closed form, for one standard setting in plain float64.

The setting: every training batch has n = 32 values per channel, of mean 1 and (biased) variance 1. Running statistics
start at mean 0 and at the initial variance of the convention, and move with its default momentum. After t steps

    running = (1 - w)^t * initial + (1 - (1 - w)^t) * batch

where w is the weight of the new statistic.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

PlainConvention = Mapping[str, Any]
"""A convention as plain data: the name of each choice and its value."""

COUNT = 32
"""Values per channel in a batch."""
STEPS = (1, 10, 100)
"""Training steps after which numbers are given."""


@dataclass(frozen=True)
class RunningAverage:
    """A convention reduced to the numbers that its running statistics depend on.

    Attributes:
        weight: weight of the new statistic.
        eps: default eps.
        estimator: what a batch of variance 1 enters the running variance as.
        initial: running variance before the first step.
        eps_inside: whether the running variance takes in eps.
        eps_in_inference: whether inference adds eps.
    """

    weight: float
    eps: float
    estimator: float
    initial: float
    eps_inside: bool
    eps_in_inference: bool

    @classmethod
    def of(cls, convention: PlainConvention) -> RunningAverage:
        """The numbers of a convention; what it does not say, or says out of range, is as torch has it."""
        return cls(
            weight=new_weight(convention),
            eps=eps_or_usual(convention),
            estimator=COUNT / (COUNT - 1.0) if convention.get("running_variance") == "unbiased" else 1.0,
            initial=number_within(convention.get("initial_running_variance"), 0.0, 1e6, 1.0),
            eps_inside=convention.get("eps_in_running_variance") is True,
            eps_in_inference=convention.get("eps_in_inference") is not False,
        )

    def variance(self, steps: int) -> float:
        """Running variance after training steps."""
        kept = (1.0 - self.weight) ** steps
        return kept * self.initial + (1.0 - kept) * (self.estimator + self.eps * self.eps_inside)

    def mean(self, steps: int) -> float:
        """Running mean after training steps."""
        return 1.0 - (1.0 - self.weight) ** steps

    def divisor(self, steps: int) -> float:
        """What inference divides by after training steps."""
        return sqrt(self.variance(steps) + self.eps * self.eps_in_inference)


def number_within(value: Any, low: float, high: float, default: float) -> float:
    """The value where it is a number in the range, else the default: a report never fails on a file."""
    return float(value) if isinstance(value, int | float) and low <= value <= high else default


def new_weight(convention: PlainConvention) -> float:
    """Weight of the new statistic by default; 0.1 where there is no default."""
    momentum = number_within(convention.get("default_momentum"), 0.0, 1.0, -1.0)
    if momentum < 0.0:
        return 0.1
    return 1.0 - momentum if convention.get("momentum_weighs") == "old" else momentum


def eps_or_usual(convention: PlainConvention) -> float:
    """eps by default; 1e-5 where there is no default."""
    return number_within(convention.get("default_eps"), 1e-300, 1.0, 1e-5)


def float32(value: float) -> float:
    """The value rounded to float32."""
    rounded: float = struct.unpack("<f", struct.pack("<f", value))[0]
    return rounded
