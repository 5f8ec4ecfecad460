"""What a golden may be off from the exact oracle.

It follows from a first-order analysis of the reference's own few operations at u = 2**-113 (the functions `*_allowed`):
two-pass mean and variance with sums in any order, the root, the reciprocal, and what comes after. Where that analysis
allows a relative error of 1e-30 at most, so must the golden have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flint import arb, fmpq
from tests.support.oracle import (
    Channel,
    Exact,
    exact,
    exact_row,
    upper,
)
from tests.support.samples.sample import Sample

U = fmpq(1) / fmpq(2) ** 113

WANTED = fmpq(1) / fmpq(10) ** 30


@dataclass
class Worst:
    """Largest errors seen: relative where the condition number allows 1e-30, relative anywhere, and of the allowed."""

    elements: int = 0
    well_conditioned: int = 0
    relative: float = 0.0
    relative_anywhere: float = 0.0
    share: float = 0.0

    def take(self, what: str, got: Sequence[Exact], wanted: Sequence[Any], allowed: Sequence[Any]) -> None:
        """Compare numbers one by one, failing where an error is above what the analysis allows."""
        for value, right, limit in zip(got, wanted, allowed, strict=True):
            error, size, limit = upper(arb(value) - arb(right)), upper(right), upper(limit)
            self.elements += 1
            assert error <= limit, f"{what}: off by {float(error):.3g}, allowed {float(limit):.3g}, value {right}"
            if not size:
                continue
            relative = float(error / size)
            self.relative_anywhere = max(self.relative_anywhere, relative)
            self.share = max(self.share, float(error / limit))
            if limit / size <= WANTED:
                self.well_conditioned += 1
                self.relative = max(self.relative, relative)
                assert relative <= 1e-30

    def __str__(self) -> str:
        return (
            f"{self.elements:6d} numbers, {self.well_conditioned:6d} well conditioned with relative error <= "
            f"{self.relative:.1e}; anywhere <= {self.relative_anywhere:.1e}, at most {self.share:.2f} of the allowed"
        )


def absolutes(values: Sequence[Any]) -> list[Any]:
    return [abs(value) for value in values]


def total(values: Sequence[Any]) -> Any:
    return sum(values, fmpq(0))


def statistic_errors(channel: Channel) -> tuple[Any, Any]:
    """Of the mean (n roundings), and, relative, of 1 / deviation ((n + 3) / 2 + 5 / 2 roundings)."""
    if channel.given:
        return fmpq(0), 3 * U
    return U * total(absolutes(channel.x)), (fmpq(channel.count, 2) + 4) * U


def y_allowed(channel: Channel) -> list[Any]:
    mean, root = statistic_errors(channel)
    slope = abs(channel.gamma) / channel.deviation
    return [
        slope * (mean + abs(centred) * (root + 4 * U)) + U * (abs(y) + abs(channel.beta))
        for centred, y in zip(channel.centred, channel.y, strict=True)
    ]


def dgamma_allowed(channel: Channel, dy: Sequence[Exact]) -> Any:
    mean, root = statistic_errors(channel)
    products = total([abs(one * other) for one, other in zip(dy, channel.centred, strict=True)]) / channel.deviation
    return mean / channel.deviation * abs(channel.dbeta(dy)) + (root + (channel.count + 4) * U) * products


def dx_allowed(channel: Channel, dy: Sequence[Exact]) -> list[Any]:
    mean, root = statistic_errors(channel)
    slope = abs(channel.gamma) / channel.deviation
    if channel.given:
        return [slope * abs(value) * (root + 3 * U) for value in dy]
    count, product_error = channel.count, dgamma_allowed(channel, dy) / channel.count
    mean_dy = total(absolutes(dy)) / count
    mean_product = total([abs(a * b) for a, b in zip(dy, channel.centred, strict=True)]) / channel.deviation / count
    found = []
    for value, normalised in zip(dy, channel.normalised, strict=True):
        terms = abs(value) + mean_dy + (1 + abs(normalised)) * mean_product
        off = abs(normalised) * product_error + mean_product * mean / channel.deviation
        found.append(slope * (off + (3 * root + (count + 8) * U) * terms))
    return found


def channels_of(sample: Sample, eps: Exact, inference: bool = False) -> Iterator[tuple[Channel, list[Exact]]]:
    for row in range(sample.channels):
        given = (exact(sample.running_mean[row]), exact(sample.running_variance[row])) if inference else None
        gamma, beta = exact(sample.gamma[row]), exact(sample.beta[row])
        yield Channel(exact_row(sample.x[row]), gamma, beta, eps, given), exact_row(sample.dy[row])
