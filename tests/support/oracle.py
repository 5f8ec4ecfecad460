"""Batch normalisation from its definition, in exact rationals and in interval arithmetic of 320 bits.

It shares no line and no idea with `bn_reference`: sums are exact rationals (so mean, variance, dbeta and every
coefficient of the Jacobian are exact), and only what a square root enters is an interval (`arb`), whose radius is an
enclosure and not an estimate. Gradients come from the Jacobian of the definition, written out element by element, and
besides from central differences.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb, ctx, fmpq
from numpy.typing import NDArray

PRECISION = 320
DIFFERENCE_PRECISION = 4000
ctx.prec = PRECISION

Exact = Any
"""A `fmpq`."""
Interval = Any
"""An `arb`."""


def exact(value: Any) -> Exact:
    """A finite number of any format up to float64, exactly."""
    numerator, denominator = float(value).as_integer_ratio()
    return fmpq(numerator, denominator)


def exact_row(values: Iterable[Any]) -> list[Exact]:
    return [exact(value) for value in values]


def decoded(values: NDArray[Any]) -> list[Exact]:
    """Finite binary128 numbers of any shape, in C order, read from their bits as IEEE 754-2019 defines them."""
    words = np.ascontiguousarray(values).reshape(-1).view(np.uint64).reshape(-1, 2)
    return [_decoded(int(high) << 64 | int(low)) for low, high in words]


def _decoded(bits: int) -> Exact:
    fraction, biased, sign = bits & ((1 << 112) - 1), (bits >> 112) & 0x7FFF, -1 if bits >> 127 else 1
    assert biased != 0x7FFF, "not a finite number"
    significand, exponent = (fraction | 1 << 112, biased - 16383 - 112) if biased else (fraction, -16382 - 112)
    return fmpq(sign * significand) * fmpq(2) ** exponent


def stored(value: float, dtype: str) -> Exact:
    """A hyper-parameter after it was kept in float64 or float32 (rounded to nearest by the platform's own packing)."""
    kept = value if dtype == "float64" else struct.unpack("<f", struct.pack("<f", value))[0]
    return exact(kept)


def upper(value: Interval | Exact) -> Exact:
    """The least upper bound of |value|, as a rational: the interval's own radius counts against it."""
    mantissa, exponent = arb(value).abs_upper().man_exp()
    return fmpq(mantissa) * fmpq(2) ** int(exponent)


@dataclass(frozen=True)
class Channel:
    """One channel: its values, and the numbers gamma, beta and eps; everything exact.

    `given` is None in training, and in inference the pair (mean, variance) that is used instead of the batch's own.
    `counts` says which values the mean and the variance are taken over; None is all of them.
    """

    x: Sequence[Exact]
    gamma: Exact
    beta: Exact
    eps: Exact
    given: tuple[Exact, Exact] | None = None
    counts: Sequence[bool] | None = None

    @property
    def places(self) -> int:
        return len(self.x)

    def counted(self, place: int) -> bool:
        return self.counts is None or bool(self.counts[place])

    @cached_property
    def count(self) -> int:
        return sum(self.counted(place) for place in range(self.places))

    @cached_property
    def mean(self) -> Exact:
        if self.given:
            return self.given[0]
        return sum((value for place, value in enumerate(self.x) if self.counted(place)), fmpq(0)) / self.count

    @cached_property
    def variance(self) -> Exact:
        """Biased; given in inference."""
        if self.given:
            return self.given[1]
        return sum((value**2 for place, value in enumerate(self.centred) if self.counted(place)), fmpq(0)) / self.count

    @cached_property
    def deviation(self) -> Interval:
        """sqrt(variance + eps)."""
        return arb(self.variance + self.eps).sqrt()

    @cached_property
    def centred(self) -> list[Exact]:
        return [value - self.mean for value in self.x]

    @cached_property
    def normalised(self) -> list[Interval]:
        return [value / self.deviation for value in self.centred]

    @cached_property
    def y(self) -> list[Interval]:
        return [self.gamma * value / self.deviation + self.beta for value in self.centred]

    def slope(self, i: int, j: int) -> Exact:
        """deviation * d normalised_i / d x_j, by the quotient rule: d c_i - c_i * d(variance) / (2 deviation**2)."""
        own = fmpq(1 if i == j else 0)
        if self.given or not self.counted(j):
            return own
        d_centred = own - fmpq(1, self.count)
        d_variance = 2 * self.centred[j] / self.count
        return d_centred - self.centred[i] * d_variance / (2 * (self.variance + self.eps))

    def dx(self, dy: Sequence[Exact]) -> list[Interval]:
        """Row sums of dy times the Jacobian, without simplification."""
        places = range(self.places)
        sums = [sum((dy[i] * self.slope(i, j) for i in places), fmpq(0)) for j in places]
        return [self.gamma * value / self.deviation for value in sums]

    def dgamma(self, dy: Sequence[Exact]) -> Interval:
        return sum((a * b for a, b in zip(dy, self.centred, strict=True)), fmpq(0)) / self.deviation

    def dbeta(self, dy: Sequence[Exact]) -> Exact:
        return sum(dy, fmpq(0))

    def loss(self, dy: Sequence[Exact]) -> Interval:
        """sum(y * dy), the scalar whose gradients dx, dgamma and dbeta are."""
        return self.gamma * self.dgamma(dy) + self.beta * self.dbeta(dy)


@dataclass(frozen=True)
class Differences:
    """Central differences of the loss with respect to every x, gamma and beta, and the step's relative size."""

    dx: list[Interval]
    dgamma: Interval
    dbeta: Interval


def differences(channel: Channel, dy: Sequence[Exact], bits: int = 100) -> Differences:
    """Gradients by central differences with steps of 2**-bits of the natural scale, in 4000-bit arithmetic.

    The truncation error is of the order of 4**-bits of the third derivative, 1e-60 for 100 bits. The rounding error
    of a quotient is about 2**(bits - 4000) of the loss, which can be 2**1000 times larger than a gradient is.
    """
    before, ctx.prec = ctx.prec, DIFFERENCE_PRECISION
    try:
        unit = power_of_two_near(channel.deviation) / fmpq(2) ** bits
        dx = []
        for place in range(channel.places):
            ahead, behind = list(channel.x), list(channel.x)
            ahead[place] += unit
            behind[place] -= unit
            dx.append((with_changes(channel, x=ahead).loss(dy) - with_changes(channel, x=behind).loss(dy)) / (2 * unit))
        step = fmpq(1) / fmpq(2) ** bits
        gammas = [with_changes(channel, gamma=channel.gamma + sign * step).loss(dy) for sign in (1, -1)]
        betas = [with_changes(channel, beta=channel.beta + sign * step).loss(dy) for sign in (1, -1)]
        return Differences(dx, (gammas[0] - gammas[1]) / (2 * step), (betas[0] - betas[1]) / (2 * step))
    finally:
        ctx.prec = before


def with_changes(channel: Channel, **changes: Any) -> Channel:
    values = {name: getattr(channel, name) for name in ("x", "gamma", "beta", "eps", "given", "counts")} | changes
    return Channel(**values)


def power_of_two_near(value: Interval) -> Exact:
    mantissa, exponent = arb(value).abs_upper().man_exp()
    return fmpq(2) ** (int(exponent) + int(mantissa).bit_length() - 1)


@dataclass(frozen=True, kw_only=True)
class Running:
    """How running statistics move; each field is one of the choices that implementations make.

    Attributes:
        momentum: weight of the new statistic as configured, or None for the plain average over batches.
        weighs_old: the implementation stores 1 - momentum, rounded there, instead of momentum.
        hyperparameters: the format in which eps and momentum are kept.
        unbiased: divide by n - 1.
        with_eps: the running variance takes in variance + eps.
        debiasing: "zero-debias" or "first-batch", or "none".
    """

    momentum: float | None = 0.1
    weighs_old: bool = False
    hyperparameters: str = "float64"
    unbiased: bool = True
    with_eps: bool = False
    debiasing: str = "none"

    def weights(self, updates_before: int) -> tuple[Exact, Exact]:
        """Exact weights of the old and of the new statistic."""
        if self.momentum is None:
            return fmpq(updates_before, updates_before + 1), fmpq(1, updates_before + 1)
        kept = stored(1.0 - self.momentum if self.weighs_old else self.momentum, self.hyperparameters)
        old, new = (kept, 1 - kept) if self.weighs_old else (1 - kept, kept)
        if self.debiasing == "first-batch" and updates_before == 0:
            return fmpq(0), fmpq(1)
        if self.debiasing == "zero-debias" and new:
            # What is shown is hidden / (1 - old**t), where hidden moves with the weights old and new.
            before, after = (1 - old**steps for steps in (updates_before, updates_before + 1))
            return old * before / after, new / after
        return old, new

    def batch_variance(self, channel: Channel) -> Exact:
        """What the running variance takes in; with one value the estimate is 0 either way."""
        squares = channel.variance * channel.count
        divisor = channel.count - 1 if self.unbiased and channel.count > 1 else channel.count
        return squares / divisor + (channel.eps if self.with_eps else 0)

    def after(self, mean: Exact, variance: Exact, channel: Channel, updates_before: int = 0) -> tuple[Exact, Exact]:
        """Running mean and variance after a training step."""
        old, new = self.weights(updates_before)
        return old * mean + new * channel.mean, old * variance + new * self.batch_variance(channel)
