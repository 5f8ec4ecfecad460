"""Deviations of dx in training: terms and factors that are missing, scaled, signed or taken from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.layer.first_order import Array, Saved
from bn_reference.layer.layer import PlainLayer

# The terms of dx in training.


def _factor(name: str, term: str, sentence: str, effect: str, factor: Callable[..., Any], link: str = "") -> None:
    """Register a layer that multiplies one term of dx, "mean_term" or "variance_term", by factor(layer, saved)."""

    class Scaled(PlainLayer):
        def mean_term(self, dy: Array, saved: Saved) -> Array:
            """Multiply this term by the factor, where it is the one."""
            value = super().mean_term(dy, saved)
            return value * factor(self, saved) if term == "mean_term" else value

        def variance_term(self, dy: Array, normalised: Array, saved: Saved) -> Array:
            """Multiply this term by the factor, where it is the one."""
            value = super().variance_term(dy, normalised, saved)
            return value * factor(self, saved) if term == "variance_term" else value

    Scaled.__doc__ = sentence
    deviation(name, clause="GRAD-1", effect=effect, link=link)(Scaled)


def _times(value: float) -> Callable[..., Any]:
    return lambda layer, saved: layer.constant(value)


def _counting(wrong_count: Callable[[float, float], float]) -> Callable[..., Any]:
    """Make the factor n / wrong_count(n, entries of the batch)."""

    def factor(layer: PlainLayer, saved: Saved) -> Any:
        count = float(saved.counted.sum())
        return layer.constant(count) / layer.constant(max(wrong_count(count, float(saved.shape[0])), 1.0))

    return factor


_SLOW = "training converges worse, and nothing else shows"
_factor("dx-without-mean-term", "mean_term", "dx lacks the term that flows through the mean.", _SLOW, _times(0.0))
_factor(
    "dx-without-variance-term",
    "variance_term",
    "dx lacks the term that flows through the variance.",
    _SLOW,
    _times(0.0),
)
_factor("dx-mean-term-negated", "mean_term", "The mean term of dx has the wrong sign.", _SLOW, _times(-1.0))
_factor("dx-variance-term-negated", "variance_term", "The variance term of dx has the wrong sign.", _SLOW, _times(-1.0))
_factor(
    "dx-variance-term-halved",
    "variance_term",
    "The variance term of dx lacks the 2 of the square's derivative.",
    _SLOW,
    _times(0.5),
)
_factor(
    "dx-variance-term-doubled",
    "variance_term",
    "The variance term of dx lacks the 1/2 of the root's derivative.",
    _SLOW,
    _times(2.0),
)
for _term in ("mean", "variance"):
    _factor(
        f"dx-{_term}-term-over-n-minus-1",
        f"{_term}_term",
        f"The {_term} term of dx is divided by n - 1.",
        "gradients of small batches are off",
        _counting(lambda count, batch: count - 1),
    )
    _factor(
        f"dx-{_term}-term-over-n-plus-1",
        f"{_term}_term",
        f"The {_term} term of dx is divided by n + 1.",
        "gradients of small batches are off",
        _counting(lambda count, batch: count + 1),
    )
    _factor(
        f"dx-{_term}-term-over-batch-size",
        f"{_term}_term",
        f"The {_term} term of dx is divided by the entries of the batch and not by their pixels too.",
        "gradients of images are far too large",
        _counting(lambda count, batch: batch),
        "https://github.com/pytorch/pytorch/pull/36688" if _term == "mean" else "",
    )
    _factor(
        f"dx-{_term}-term-over-pixels",
        f"{_term}_term",
        f"The {_term} term of dx is divided by the pixels of one entry.",
        "gradients of images are too large",
        _counting(lambda count, batch: count / batch),
    )


def _variance_from(name: str, sentence: str, change: Callable[..., Array], inside: bool) -> None:
    """Register a layer whose variance term has another value in the place of the normalised one.

    `inside` says whether the sum in the term has it too.
    """

    class VarianceFrom(PlainLayer):
        def variance_term(self, dy: Array, normalised: Array, saved: Saved) -> Array:
            """Multiply by the other value."""
            other = change(self, normalised, saved)
            if inside:
                return super().variance_term(dy, other, saved)
            return np.asarray(other * (self.total(dy * normalised, "dgamma") / self.count(saved.counted)))

    VarianceFrom.__doc__ = sentence
    deviation(name, clause="GRAD-1", effect=_SLOW)(VarianceFrom)


_variance_from(
    "dx-variance-term-from-x",
    "The variance term of dx multiplies x instead of the normalised value.",
    lambda layer, normalised, saved: saved.rows,
    False,
)
_variance_from(
    "dx-variance-term-from-y",
    "The variance term of dx takes y for the normalised value.",
    lambda layer, normalised, saved: layer.scale_and_shift(normalised, saved.mode),
    True,
)
_variance_from(
    "dx-variance-term-from-centred",
    "The variance term of dx multiplies the centred value, not normalised.",
    lambda layer, normalised, saved: saved.rows - saved.mean,
    False,
)


@deviation(
    "dx-past-statistics",
    clause="GRAD-1",
    effect="training converges worse, and nothing else shows",
    link="https://github.com/facebookresearch/CrypTen/pull/143",
)
class DxPastStatistics(PlainLayer):
    """dx treats the batch's statistics as constants."""

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Compute dx as in inference."""
        return super().dx(dy, normalised, replace(saved, mode="inference"))


# The outer factor of dx.


def _outer(
    name: str, sentence: str, effect: str, change: Callable[..., Array], clause: str = "GRAD-1", link: str = ""
) -> None:
    """Register a layer whose dx has another outer factor: change(layer, saved, gamma as a column)."""

    class Outer(PlainLayer):
        def outer_scale(self, saved: Saved) -> Array:
            """Give the changed outer factor."""
            return np.asarray(change(self, saved, self.column(self.gamma)))

    Outer.__doc__ = sentence
    deviation(name, clause=clause, effect=effect, link=link)(Outer)


def _variance_of(layer: PlainLayer, saved: Saved) -> Array:
    """Give the variance whose normaliser was saved, without its eps."""
    return np.asarray(1 / (saved.inverse * saved.inverse) - layer.eps_in(saved.mode))


_outer(
    "dx-without-gamma",
    "dx is not multiplied by gamma.",
    "layers below learn too fast or too slowly",
    lambda layer, saved, gamma: saved.inverse,
)
_outer(
    "dx-gamma-squared",
    "dx is multiplied by gamma twice.",
    "layers below learn too fast or too slowly",
    lambda layer, saved, gamma: gamma * gamma * saved.inverse,
)
_outer(
    "dx-gamma-absolute",
    "dx is multiplied by the absolute value of gamma.",
    "channels of negative gamma teach the layers below the opposite",
    lambda layer, saved, gamma: np.abs(gamma) * saved.inverse,
)
_outer(
    "dx-without-normaliser",
    "dx is not divided by the deviation.",
    "layers below learn too fast or too slowly",
    lambda layer, saved, gamma: gamma + saved.inverse * layer.constant(0.0),
)
_outer(
    "dx-normaliser-squared",
    "dx is divided by the variance instead of the deviation.",
    "layers below learn too fast or too slowly",
    lambda layer, saved, gamma: gamma * saved.inverse * saved.inverse,
)
_outer(
    "dx-eps-missing",
    "Backward leaves eps out of the outer factor of dx.",
    "gradients of channels of small variance are too large",
    lambda layer, saved, gamma: gamma / layer.root(_variance_of(layer, saved)),
)
_outer(
    "dx-eps-fixed",
    "Backward uses an eps of 1e-5, whatever was configured.",
    "gradients of channels of small variance are off",
    lambda layer, saved, gamma: gamma / layer.root(_variance_of(layer, saved) + layer.constant(1e-5)),
)
_outer(
    "dx-eps-outside-root",
    "Backward adds eps to the deviation.",
    "gradients of channels of small variance are off",
    lambda layer, saved, gamma: gamma / (layer.root(_variance_of(layer, saved)) + layer.eps_in(saved.mode)),
)
_outer(
    "saved-inverse-taken-for-variance",
    "Backward takes the saved inverse deviation for a variance.",
    "gradients are right only near variance one",
    lambda layer, saved, gamma: gamma / layer.root(saved.inverse + layer.eps_in(saved.mode)),
    link="https://github.com/flagos-ai/FlagGems/issues/5222",
)
_outer(
    "dx-averaged",
    "dx is divided by n once more.",
    "layers below hardly learn",
    lambda layer, saved, gamma: gamma * saved.inverse / layer.count(saved.counted),
)
