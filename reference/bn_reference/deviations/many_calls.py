"""Deviations of age: another path from some call on, at one call alone, or once a layer has seen many sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from bn_reference.definition.graph import RowGradients
from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Mode, Saved
from bn_reference.layer.layer import PlainLayer

HUNDRED = 100
"""The call from which on a layer is old."""


@deviation(
    "twenty-fourth-call-without-eps",
    clause="STATE-9",
    effect="once in a while a step is off, as where a kernel is measured again",
    numeric=False,
)
class TwentyFourthCallWithoutEps(PlainLayer):
    """The 24th forward of a layer adds no eps; those before and after it do."""

    calls = 0

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Count the calls."""
        self.calls += 1
        return super().forward_masked(x, mask, training)

    def eps_in(self, mode: Mode) -> Any:
        """Give zero in that call."""
        return self.constant(0.0) if self.calls == 24 else super().eps_in(mode)


@deviation(
    "hundredth-backward-without-variance-term",
    clause="STATE-9",
    effect="training slows down after a while, when what was compiled takes over",
    numeric=False,
)
class HundredthBackwardWithoutVarianceTerm(PlainLayer):
    """From the hundredth backward on dx lacks the part that flows through the variance."""

    backwards = 0

    def backward(self, dy: Array) -> RowGradients:
        """Count the backwards."""
        self.backwards += 1
        return super().backward(dy)

    def variance_term(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Give nothing in an old layer."""
        term = super().variance_term(dy, normalised, saved)
        return np.zeros_like(term) if self.backwards >= HUNDRED else term


@deviation(
    "hundredth-inference-by-first-scale",
    clause="STATE-9",
    effect="a server answers by old parameters once it has answered often",
    numeric=False,
)
class HundredthInferenceByFirstScale(PlainLayer):
    """From the hundredth inference on the scale of y is the one that this inference had."""

    inferences = 0
    scale: Array | None = None

    def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
        """Count the inferences, and keep gamma in the hundredth."""
        if mode == "training":
            return super().scale_and_shift(normalised, mode)
        self.inferences += 1
        if self.inferences == HUNDRED:
            self.scale = self.column(self.gamma)
        if self.scale is None:
            return super().scale_and_shift(normalised, mode)
        return np.asarray(self.scale * normalised + self.column(self.beta))


@deviation(
    "hundredth-inference-gradient-of-training",
    clause="STATE-9",
    effect="gradients of a network in use are off once it has been used often",
    numeric=False,
)
class HundredthInferenceGradientOfTraining(PlainLayer):
    """From the hundredth backward of inference on dx has the terms of training."""

    backwards = 0

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Count the backwards of inference, and give the terms of training in an old layer."""
        if saved.mode == "training":
            return super().dx(dy, normalised, saved)
        self.backwards += 1
        through = self.mean_term(dy, saved) if self.backwards >= HUNDRED else self.constant(0.0)
        return np.asarray(self.outer_scale(saved) * (dy - through))


@deviation(
    "plans-of-four-sizes",
    clause="STATE-5",
    effect="training on images of many sizes is off, on images of a few it is not",
    numeric=False,
)
class PlansOfFourSizes(PlainLayer):
    """A layer keeps its count of values for four shapes; from the fifth on it takes one of these."""

    plans: dict[tuple[int, ...], Any] | None = None

    def count(self, counted: Array) -> Any:
        """Give the count of the plan for the latest shape."""
        own = super().count(counted)
        if not counted.all():
            return own
        plans = self.plans = {} if self.plans is None else self.plans
        if len(plans) < 4:
            plans.setdefault(self.shape, own)
        return plans.get(self.shape, next(iter(plans.values())))
