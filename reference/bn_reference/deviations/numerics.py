"""Deviations of elementary arithmetic: coarse roots, clamps, special treatment of constants, and flushed gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bn_reference.definition.graph import RowGradients
from bn_reference.deviations import deviation
from bn_reference.deviations.rounding import compute_dtype, through
from bn_reference.layer.first_order import Array, Mode, Saved
from bn_reference.layer.layer import PlainLayer

# Clamps.


def _under_root(name: str, sentence: str, effect: str, change: Callable[..., Array], clause: str) -> None:
    """Register a layer that changes the variance before eps is added, in training."""

    class UnderRoot(PlainLayer):
        def normaliser(self, variance: Array, mode: Mode) -> Array:
            """Take the normaliser of the changed variance in training."""
            return super().normaliser(change(self, variance) if mode == "training" else variance, mode)

    UnderRoot.__doc__ = sentence
    deviation(name, clause=clause, effect=effect)(UnderRoot)


for _floor in ("1e-5", "1e-12"):
    _under_root(
        f"variance-at-least-{_floor}",
        f"A variance below {_floor} is taken for {_floor}.",
        "channels of tiny variance come out too small",
        lambda layer, variance, floor=_floor: np.maximum(variance, layer.constant(float(floor))),
        "NUM-2",
    )
_under_root(
    "variance-at-most-1e4",
    "A variance above 1e4 is taken for 1e4.",
    "large channels are too large",
    lambda layer, variance: np.minimum(variance, layer.constant(1e4)),
    "NUM-2",
)
_under_root(
    "variance-at-most-1e10",
    "A variance above 1e10 is taken for 1e10.",
    "channels of very large variance are too large",
    lambda layer, variance: np.minimum(variance, layer.constant(1e10)),
    "NUM-2",
)
_under_root(
    "constant-divides-by-zero",
    "A variance of zero gets no eps and divides by zero.",
    "NaN in dead channels",
    lambda layer, variance: np.where(variance == 0, -layer.eps + variance, variance),
    "NUM-3",
)
_under_root(
    "constant-gets-variance-one",
    "A variance of zero is taken for one.",
    "gradients of dead channels are too small",
    lambda layer, variance: np.where(variance == 0, layer.constant(1.0) + variance, variance),
    "NUM-3",
)


def _limited(layer: PlainLayer, values: Array, limit: float) -> Array:
    bound = layer.constant(limit)
    return np.where(values > bound, bound, np.where(values < -bound, -bound, values))


def _normalised_clipped(limit: int) -> None:
    """Register a layer that clips the normalised value."""

    class Clipped(PlainLayer):
        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """Scale and shift clipped values."""
            return super().scale_and_shift(_limited(self, normalised, float(limit)), mode)

    Clipped.__doc__ = f"The normalised value is clipped to -{limit} to {limit}."
    deviation(f"normalised-clipped-to-{limit}", clause="NUM-2", effect="outliers are cut off")(Clipped)


for _limit in (3, 10, 30, 50):
    _normalised_clipped(_limit)


@deviation("normalised-clipped-in-backward", clause="GRAD-1", effect="outliers pull the wrong way, and y is right")
class NormalisedClippedInBackward(PlainLayer):
    """The backward takes a normalised value that is clipped to -10 to 10."""

    def dgamma(self, dy: Array, normalised: Array) -> Array:
        """Sum over clipped values."""
        return super().dgamma(dy, _limited(self, normalised, 10.0))

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Compute dx from clipped values."""
        return super().dx(dy, _limited(self, normalised, 10.0), saved)


@deviation("scale-clipped", clause="NUM-2", effect="channels of small variance come out too small")
class ScaleClipped(PlainLayer):
    """1 / sqrt(variance + eps) is at most 1000."""

    def normaliser(self, variance: Array, mode: Mode) -> Array:
        """Limit the normaliser to 1000."""
        return np.asarray(np.minimum(super().normaliser(variance, mode), self.constant(1e3)))


@deviation("output-clipped", clause="FWD-1", effect="large outputs are cut off, as by a type of 8 bits")
class OutputClipped(PlainLayer):
    """y is clipped to -8 to 8."""

    def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
        """Clip y."""
        return _limited(self, super().scale_and_shift(normalised, mode), 8.0)


# Constant channels.


@deviation("constant-gives-zero", clause="NUM-3", effect="dead channels lose their shift")
class ConstantGivesZero(PlainLayer):
    """A channel of variance zero gives zero instead of beta."""

    def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
        """Give zero in a channel whose normalised values are all zero."""
        y = super().scale_and_shift(normalised, mode)
        constant = mode == "training" and normalised.size > 0
        return np.where(np.all(normalised == 0, axis=1, keepdims=True) & constant, self.constant(0.0), y)


@deviation("constant-passes-through", clause="NUM-3", effect="dead channels show their raw values")
class ConstantPassesThrough(PlainLayer):
    """A channel of variance zero is passed through."""

    def normalisers(self, x: Array, mask: Array | None, training: bool) -> Saved:
        """Use a mean of 0 and a normaliser of 1 in constant channels."""
        saved = super().normalisers(x, mask, training)
        if saved.mode == "inference" or not saved.rows.size:
            return saved
        constant = np.all(saved.rows == saved.rows[:, :1], axis=1, keepdims=True)
        return replace(
            saved,
            mean=np.where(constant, self.constant(0.0), saved.mean),
            inverse=np.where(constant, self.constant(1.0), saved.inverse),
        )


# Gradients.


def _dx(name: str, sentence: str, effect: str, change: Callable[..., Array], clause: str = "GRAD-5") -> None:
    """Register a layer whose dx is change(layer, dx, dy)."""

    class Dx(PlainLayer):
        def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
            """Change the right dx."""
            return change(self, super().dx(dy, normalised, saved), dy)

    Dx.__doc__ = sentence
    deviation(name, clause=clause, effect=effect)(Dx)


_dx(
    "small-gradients-flushed",
    "A dx below 1e-6 is taken for zero.",
    "late layers of deep models stop learning",
    lambda layer, dx, dy: np.where(np.abs(dx) < layer.constant(1e-6), layer.constant(0.0), dx),
)
_dx(
    "gradients-clipped",
    "dx is clipped to -1000 to 1000.",
    "large losses lose their direction",
    lambda layer, dx, dy: _limited(layer, dx, 1e3),
)
_dx(
    "no-gradient-for-small-dy",
    "Where no dy of a channel passes 1e-6, dx is zero.",
    "loss scales matter",
    lambda layer, dx, dy: np.where(
        np.all(np.abs(dy) < layer.constant(1e-6), axis=1, keepdims=True), layer.constant(0.0), dx
    ),
)
_dx(
    "nan-for-zero-dy",
    "dx is scaled by the largest dy and back, which a dy of zero turns to NaN.",
    "one unused output turns a model to NaN",
    lambda layer, dx, dy: (
        dx / np.abs(dy).max(axis=1, keepdims=True) * np.abs(dy).max(axis=1, keepdims=True) if dy.size else dx
    ),
)
_dx(
    "no-gradient-for-constant-dy",
    "Where dy is constant, dx is zero in every mode.",
    "a mean over outputs has no gradient in use",
    lambda layer, dx, dy: (
        np.where(np.all(dy == dy[:, :1], axis=1, keepdims=True), layer.constant(0.0), dx) if dy.size else dx
    ),
)


@deviation("gradient-rounded-to-loss-scale", clause="GRAD-5", effect="tiny gradients have few digits")
class GradientOnAGrid(PlainLayer):
    """dy is rounded to multiples of 2^-24, as in fixed point."""

    def backward(self, dy: Array) -> RowGradients:
        """Run the backward on the rounded dy."""
        grid = self.constant(2.0**24)
        rounded = np.where(np.isfinite(dy), self.store(np.rint(self.wide(dy) * grid) / grid, dy.dtype), dy)
        return super().backward(rounded.astype(dy.dtype))


@deviation("dx-through-inverse-cubed", clause="NUM-9", effect="NaN gradients where data are very small or very large")
class DxThroughInverseCubed(PlainLayer):
    """dx goes through the cube of the inverse deviation, which leaves the range of the format first."""

    def variance_term(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Multiply by the cube of the inverse deviation, and round each step."""
        dtype: Any = compute_dtype(self)
        centred = saved.rows - saved.mean
        cubed = through(self, saved.inverse * saved.inverse * saved.inverse, dtype)
        inner = through(self, self.total(dy * centred, "dgamma"), dtype) / self.count(saved.counted)
        return through(self, centred * through(self, inner * cubed, dtype), dtype) / saved.inverse
