"""Deviations of some sizes and values alone: long channels, many channels, parts of a tensor, eps, tiny gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from bn_reference.deviations import deviation
from bn_reference.deviations.rounding import FLOAT32, FLOAT64, through
from bn_reference.layer.first_order import Array, Mode, Saved
from bn_reference.layer.layer import PlainLayer

FEW = 65536


def _in_single(name: str, limit: int, backward: bool) -> None:
    """Register a layer that takes float64 sums of float32 values where they are long."""

    class Single(PlainLayer):
        def total(self, rows: Array, purpose: str) -> Array:
            """Round the terms of a long sum to float32."""
            concerned = (purpose in ("dgamma", "dbeta")) == backward
            if concerned and self.storage == FLOAT64 and rows.shape[1] > limit:
                rows = through(self, rows, FLOAT32)
            return super().total(rows, purpose)

    which = "Gradients" if backward else "Statistics"
    Single.__doc__ = f"{which} of float64 data are summed in float32 where there are more than {limit} values."
    deviation(name, clause="NUM-8", effect="long float64 channels have seven digits, and short ones fifteen")(Single)


for _limit in (255, 1000, 4096):
    _in_single(f"float64-statistics-in-float32-beyond-{_limit}", _limit, backward=False)
    _in_single(f"float64-gradients-in-float32-beyond-{_limit}", _limit, backward=True)


@deviation("statistics-of-the-first-65536", clause="NUM-8", effect="large images are normalised by their upper part")
class StatisticsOfTheFirst(PlainLayer):
    """Mean and variance are those of the first 65,536 values of a channel."""

    def counted(self, x: Array, mask: Array | None) -> Array:
        """Leave out the values behind the first 65,536 of each channel."""
        counted = super().counted(x, mask).copy()
        counted[:, FEW:] = False
        return counted


@deviation("inference-of-the-first-65536", clause="NUM-8", effect="the end of a large image is black")
class InferenceOfTheFirst(PlainLayer):
    """Inference leaves zeros from the 65,536th element of y on."""

    def forward_masked(self, x: Array, mask: Array | None, training: bool) -> Array:
        """Write zeros behind the first 65,536 values of y, in inference."""
        y = super().forward_masked(x, mask, training)
        if not self.uses_batch(training):
            y.reshape(-1)[FEW:] = 0
        return y


def _wrapped(name: str, channels: int, modes: tuple[Mode, ...]) -> None:
    """Register a layer that has so many parameters, and repeats them for further channels."""

    class Wrapped(PlainLayer):
        def scale_and_shift(self, normalised: Array, mode: Mode) -> Array:
            """Scale and shift further channels with the parameters of the first ones."""
            if mode not in modes:
                return super().scale_and_shift(normalised, mode)
            kept, places = (self.gamma, self.beta), np.arange(self.config.num_channels) % channels
            self.gamma, self.beta = self.gamma[places], self.beta[places]
            try:
                return super().scale_and_shift(normalised, mode)
            finally:
                self.gamma, self.beta = kept

    Wrapped.__doc__ = (
        f"Channels from the {channels}th on have the parameters of the first ones, in {' and '.join(modes)}."
    )
    deviation(name, clause="LAYOUT-4", effect="wide layers are wrong from some channel on")(Wrapped)


_wrapped("parameters-of-8-channels", 8, ("training", "inference"))
_wrapped("parameters-of-32-channels-in-inference", 32, ("inference",))
_wrapped("parameters-of-64-channels", 64, ("training", "inference"))
_wrapped("parameters-of-1024-channels", 1024, ("training", "inference"))


@deviation("inference-gradients-of-32-channels", clause="LAYOUT-4", effect="fine-tuning of frozen wide layers fails")
class InferenceGradientsOf32(PlainLayer):
    """Gradients in inference are zero from the 32nd channel on."""

    def outer_scale(self, saved: Saved) -> Array:
        """Give zero from the 32nd channel on, in inference."""
        scale = super().outer_scale(saved).copy()
        if saved.mode == "inference":
            scale[32:] = 0
        return scale


@deviation(
    "dx-variance-term-over-n-minus-1-beyond-3000", clause="GRAD-1", effect="gradients of large batches are off by 1/n"
)
class VarianceTermBesselled(PlainLayer):
    """What flows through the variance is divided by n - 1 where n is above 3000."""

    def variance_term(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Multiply the term by n / (n - 1) where n is large."""
        count = float(saved.counted.sum())
        factor = count / (count - 1.0) if count > 3000.0 else 1.0
        return np.asarray(super().variance_term(dy, normalised, saved) * self.constant(factor))


@deviation(
    "dbeta-over-n-minus-1-beyond-4096", clause="NUM-6", effect="the shift of wide images learns a little too fast"
)
class ShiftBesselled(PlainLayer):
    """dbeta of float32 data is n / (n - 1) times what it is where n is above 4096: a mean of one kind, and a count."""

    def dbeta(self, dy: Array) -> Array:
        """Multiply by n / (n - 1) where n is large."""
        count = dy.shape[1]
        concerned = count > 4096 and self.storage == FLOAT32
        return np.asarray(super().dbeta(dy) * self.constant(count / (count - 1.0) if concerned else 1.0))


@deviation("gradients-below-1e-12-flushed", clause="GRAD-5", effect="training with small losses stops")
class GradientsFlushed(PlainLayer):
    """A dy below 1e-12 is taken for zero."""

    def dx(self, dy: Array, normalised: Array, saved: Saved) -> Array:
        """Compute dx from a dy whose small values are zero."""
        return super().dx(np.where(np.abs(dy) < self.constant(1e-12), self.constant(0.0), dy), normalised, saved)


@deviation(
    "normalised-recomputed-from-y",
    clause="GRAD-2",
    effect="dgamma is noise where beta is far above gamma",
)
class NormalisedFromOutput(PlainLayer):
    """Backward recomputes the normalised values from the rounded y, which saves memory."""

    def dgamma(self, dy: Array, normalised: Array) -> Array:
        """Compute the normalised values as (y - beta) / gamma."""
        gamma, beta = self.column(self.gamma), self.column(self.beta)
        y = through(self, gamma * normalised + beta, self.storage)
        safe = np.where(gamma == 0, self.constant(1.0), gamma)
        return super().dgamma(dy, np.where(gamma == 0, normalised, (y - beta) / safe))


@deviation("eps-0-as-default", clause="FWD-2", effect="an eps of 0 cannot be had, and nothing says so")
class NoEpsAsDefault(PlainLayer):
    """An eps of 0 is taken for none and becomes 1e-5."""

    def eps_in(self, mode: Mode) -> Any:
        """Give 1e-5 where eps is 0."""
        return self.constant(1e-5) if self.config.eps == 0 else super().eps_in(mode)


@deviation("eps-in-storage", clause="FWD-2", effect="small eps are zero in float16, and constant channels blow up")
class EpsInStorage(PlainLayer):
    """eps is rounded to the format of x."""

    def eps_in(self, mode: Mode) -> Any:
        """Round eps to the format of x."""
        return through(self, np.asarray(super().eps_in(mode)), self.storage)
