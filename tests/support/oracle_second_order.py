"""Second order from the definition: the Hessian of the normalised values, exact but for the powers of the deviation.

With D = variance + eps and c_i the centred values, normalised_i = c_i D**(-1/2); its second derivatives follow from the
quotient rule alone. Besides, central differences of the oracle's first-order gradients in 4000 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flint import ctx, fmpq
from tests.support.oracle import (
    DIFFERENCE_PRECISION,
    Channel,
    Exact,
    Interval,
    power_of_two_near,
    with_changes,
)


@dataclass(frozen=True)
class Upstream:
    v_dx: Sequence[Exact]
    v_dgamma: Exact
    v_dbeta: Exact


@dataclass(frozen=True)
class Second:
    ds_dx: list[Interval]
    ds_dgamma: Interval
    ds_ddy: list[Interval]


def scalar(channel: Channel, dy: Sequence[Exact], up: Upstream) -> Interval:
    """s: the first-order gradients weighed by the upstream values."""
    weighed = sum((a * b for a, b in zip(channel.dx(dy), up.v_dx, strict=True)), fmpq(0))
    return weighed + channel.dgamma(dy) * up.v_dgamma + channel.dbeta(dy) * up.v_dbeta


def second(channel: Channel, dy: Sequence[Exact], up: Upstream) -> Second:
    places, count, given = range(channel.places), channel.places, channel.given is not None
    total, v = channel.variance + channel.eps, up.v_dx
    slope = [[channel.slope(i, j) for j in places] for i in places]
    # sum_i dy_i d(normalised_i)/dx_j, and sum_j v_j d(normalised_i)/dx_j, times the deviation.
    along_dy = [sum((dy[i] * slope[i][j] for i in places), fmpq(0)) for j in places]
    along_v = [sum((slope[i][j] * v[j] for j in places), fmpq(0)) for i in places]
    mean_dy = sum(dy, fmpq(0)) / count
    products = sum((a * b for a, b in zip(dy, channel.centred, strict=True)), fmpq(0))
    ds_dx = []
    for k in places:
        curved = fmpq(0)
        for j in () if given else places:
            d_j, d_k = 2 * channel.centred[j] / count, 2 * channel.centred[k] / count
            d_jk = 2 * (fmpq(1 if j == k else 0) - fmpq(1, count)) / count
            own = -((dy[j] - mean_dy) * d_k + (dy[k] - mean_dy) * d_j + products * d_jk) / 2
            curved += v[j] * (own + fmpq(3, 4) * products * d_j * d_k / total)
        ds_dx.append((channel.gamma * curved / total + up.v_dgamma * along_dy[k]) / channel.deviation)
    ds_dgamma = sum((a * b for a, b in zip(along_dy, v, strict=True)), fmpq(0)) / channel.deviation
    ds_ddy = [
        (channel.gamma * value + up.v_dgamma * centred) / channel.deviation + up.v_dbeta
        for value, centred in zip(along_v, channel.centred, strict=True)
    ]
    return Second(ds_dx, ds_dgamma, ds_ddy)


def second_differences(channel: Channel, dy: Sequence[Exact], up: Upstream, bits: int = 100) -> Second:
    """Central differences of s with respect to every x, gamma and every dy."""
    before, ctx.prec = ctx.prec, DIFFERENCE_PRECISION
    try:
        unit, step = power_of_two_near(channel.deviation) / fmpq(2) ** bits, fmpq(1) / fmpq(2) ** bits

        def quotient(at: Callable[[int], tuple[Channel, Sequence[Exact]]], width: Exact) -> Interval:
            (ahead, ahead_dy), (behind, behind_dy) = at(1), at(-1)
            return (scalar(ahead, ahead_dy, up) - scalar(behind, behind_dy, up)) / (2 * width)

        def moved(values: Sequence[Exact], place: int, width: Exact) -> list[Exact]:
            return [value + width if index == place else value for index, value in enumerate(values)]

        def x_at(place: int) -> Callable[[int], tuple[Channel, Sequence[Exact]]]:
            return lambda sign: (with_changes(channel, x=moved(channel.x, place, sign * unit)), dy)

        def dy_at(place: int) -> Callable[[int], tuple[Channel, Sequence[Exact]]]:
            return lambda sign: (channel, moved(dy, place, sign * step))

        ds_dx = [quotient(x_at(place), unit) for place in range(channel.places)]
        ds_dgamma = quotient(lambda sign: (with_changes(channel, gamma=channel.gamma + sign * step), dy), step)
        ds_ddy = [quotient(dy_at(place), step) for place in range(channel.places)]
        return Second(ds_dx, ds_dgamma, ds_ddy)
    finally:
        ctx.prec = before
