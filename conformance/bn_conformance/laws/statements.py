"""The laws, each with its clause, the trials that it needs and what it claims of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.laws.claims import ROWS, Equality, TrialResult, agree, vanishes
from bn_conformance.laws.differences import differences, steps
from bn_conformance.laws.trials import Setup
from bn_reference.arithmetic.quad import quietly
from bn_reference.bounds.bound import Bound
from bn_reference.definition.graph import forward, sum_of
from bn_reference.specification.grades import Grade

SHIFTS = (4.0, -2.0, 8.0)
"""Numbers that are added to the channels, in turn. With the coarse data of the cases that is exact in every format."""

FACTOR = 4.0
"""Factor of x; its square is the factor of eps."""


@dataclass(frozen=True)
class Law:
    """A law.

    Attributes:
        name: as it is called in quantities, `law.NAME`.
        clause: id of the sentence in SPEC.md.
        title: what it says, in a few words.
        setups: the setups of its trials, made from the one that a case describes.
        claims: what must hold between their outcomes.
        coarse: whether the data must be coarse, so that what is done to them is exact.
        modes: "training", "inference" or both.
    """

    name: str
    clause: str
    title: str
    setups: Callable[[Setup], Sequence[Setup]]
    claims: Callable[[Sequence[TrialResult]], Iterator[Equality]]
    coarse: bool = False
    modes: tuple[str, ...] = ("training",)


def _sum_of_dx(outcomes: Sequence[TrialResult]) -> Iterator[Equality]:
    (first,) = outcomes

    def allowed(grade: Grade) -> Bound:
        bound = first.bound("dx", grade)
        return Bound(sum_of(bound.allowed), bound.meaningful)

    yield vanishes("", sum_of(first.numbers("dx")), allowed)


@quietly
def _orthogonal(outcomes: Sequence[TrialResult]) -> Iterator[Equality]:
    """sum(dx * xhat) = eps (variance + eps)^(-3/2) dgamma, with gamma = 1 and beta = 0, so that y is xhat."""
    (first,) = outcomes
    golden = first.golden
    inverse = forward(golden.x, None, None, golden.eps).inverse_deviation
    share = golden.eps * inverse * inverse * inverse
    y, dx = first.numbers("y"), first.numbers("dx")

    def allowed(grade: Grade) -> Bound:
        of_y, of_dx, of_dgamma = (first.bound(name, grade) for name in ("y", "dx", "dgamma"))
        right_y, right_dx = (np.abs(first.expected[name].values) for name in ("y", "dx"))
        terms = right_y * of_dx.allowed + right_dx * of_y.allowed + of_y.allowed * of_dx.allowed
        meaningful = of_y.meaningful & of_dx.meaningful & of_dgamma.meaningful
        return Bound(sum_of(terms) + share * of_dgamma.allowed, meaningful)

    yield vanishes("", sum_of(y * dx) - share * first.numbers("dgamma"), allowed)


def _shifted(base: Setup) -> Sequence[Setup]:
    shifts = np.resize(SHIFTS, base.x.shape[0])[:, None]
    return base, base.on(x=base.x.astype(np.float64) + shifts)


def _all_agree(outcomes: Sequence[TrialResult]) -> Iterator[Equality]:
    first, second = outcomes
    for name in (*first.has, "running_var"):
        yield agree(name, first, second)


def _scaled(base: Setup) -> Sequence[Setup]:
    assert base.config.eps is not None
    config = replace(base.config, eps=base.config.eps * FACTOR * FACTOR)
    return base, base.on(x=base.x.astype(np.float64) * FACTOR, config=config)


def _scales(outcomes: Sequence[TrialResult]) -> Iterator[Equality]:
    first, second = outcomes
    for name in first.has:
        yield agree(name, first, second, factor=1.0 / FACTOR if name == "dx" else 1.0)


def shuffle(count: int) -> Any:
    """A permutation that moves (nearly) everything and keeps no neighbours together."""
    step = next(step for step in (7, 11, 13, 3, 5, 2, 1) if np.gcd(step, max(count, 1)) == 1)
    return (np.arange(count) * step + count // 2) % max(count, 1)


def _columns_of(rows: Array) -> Array:
    return np.ascontiguousarray(rows[:, shuffle(rows.shape[1])])


def _permuted(base: Setup) -> Sequence[Setup]:
    assert base.dy is not None
    return base, base.on(x=_columns_of(base.x), dy=_columns_of(base.dy))


def _permutes(outcomes: Sequence[TrialResult]) -> Iterator[Equality]:
    first, second = outcomes
    order = shuffle(first.setup.x.shape[1])

    def columns(rows: Any) -> Any:
        return rows[:, order] if rows.shape[1] > 1 else rows  # which channels mean anything is a single column

    for name in first.has:
        yield agree(name, first, second, columns) if name in ROWS else agree(name, first, second)
    for name in ("running_mean", "running_var"):
        yield agree(name, first, second)


def _channels_permuted(base: Setup) -> Sequence[Setup]:
    assert base.dy is not None
    order = shuffle(base.x.shape[0])
    gamma, beta = (None if part is None else part[order] for part in (base.gamma, base.beta))
    statistics = base.statistics and (base.statistics[0][order], base.statistics[1][order])
    return base, base.on(x=base.x[order], dy=base.dy[order], gamma=gamma, beta=beta, statistics=statistics)


def _channels_permute(outcomes: Sequence[TrialResult]) -> Iterator[Equality]:
    first, second = outcomes
    order = shuffle(first.setup.x.shape[0])
    for name in (*first.has, "running_mean", "running_var"):
        yield agree(name, first, second, lambda values: values[order])


def _another_channel(base: Setup) -> Sequence[Setup]:
    """The first channel's numbers, four times as large and backwards; what the others hold stays."""
    assert base.dy is not None
    x, dy = (rows.astype(np.float64) for rows in (base.x, base.dy))
    x[0], dy[0] = 4.0 * x[0, ::-1], 4.0 * dy[0, ::-1]
    return base, base.on(x=x, dy=dy)


def _others_agree(outcomes: Sequence[TrialResult]) -> Iterator[Equality]:
    first, second = outcomes
    for name in (*first.has, "running_mean", "running_var"):
        claim = agree(name, first, second)
        yield Equality(claim.name, claim.values[1:], claim.got[1:], _rest(claim))


def _rest(claim: Equality) -> Callable[[Grade], Bound]:
    return lambda grade: Bound(*(part[1:] for part in claim.allowed(grade)))


def _elsewhere(base: Setup) -> Sequence[Setup]:
    """The channels on the last axis where they were on the first, and the other way round."""
    rank = base.config.rank
    axis = 1 if base.config.channel_axis == rank - 1 else rank - 1
    return base, base.on(config=replace(base.config, channel_axis=axis))


def _layouts_agree(outcomes: Sequence[TrialResult]) -> Iterator[Equality]:
    first, second = outcomes
    for name in (*first.has, "running_mean", "running_var"):
        yield agree(name, first, second)


def _halfway(base: Setup) -> Sequence[Setup]:
    second = _columns_of(base.x)
    middle = 0.5 * (base.x.astype(np.float64) + second.astype(np.float64))
    return base.on(dy=None), base.on(x=second, dy=None), base.on(x=middle, dy=None)


def _affine(outcomes: Sequence[TrialResult]) -> Iterator[Equality]:
    first, second, middle = outcomes
    yield _combined("y", "", (first, second), middle, 0.5)


def _first_entry(base: Setup) -> Sequence[Setup]:
    """The batch, and a batch of its first entry alone."""
    count = base.x.shape[1] // max(base.sizes[0], 1)
    alone = base.on(x=np.ascontiguousarray(base.x[:, :count]), dy=None, sizes=(1, *base.sizes[1:]))
    return base.on(dy=None), alone


def _entry_agrees(outcomes: Sequence[TrialResult]) -> Iterator[Equality]:
    batch, alone = outcomes
    count = alone.setup.x.shape[1]
    yield agree("y", batch, alone, lambda rows: rows[:, :count] if rows.shape[1] > 1 else rows)


def _upstream(base: Setup) -> Sequence[Setup]:
    assert base.dy is not None
    second = _columns_of(base.dy)
    both = base.dy.astype(np.float64) + second.astype(np.float64)
    return base, base.on(dy=second), base.on(dy=both)


def _additive(outcomes: Sequence[TrialResult]) -> Iterator[Equality]:
    first, second, both = outcomes
    for name in first.has[1:]:
        yield _combined(name, name, (first, second), both, 1.0)


def _combined(
    name: str, label: str, parts: tuple[TrialResult, TrialResult], whole: TrialResult, factor: float
) -> Equality:
    """Claim that a quantity of one run is the sum, times a factor, of that of two others."""

    def allowed(grade: Grade) -> Bound:
        bounds = [part.bound(name, grade) for part in (*parts, whole)]
        size = factor * (bounds[0].allowed + bounds[1].allowed) + bounds[2].allowed
        return Bound(size, bounds[0].meaningful & bounds[1].meaningful & bounds[2].meaningful)

    return Equality(label, factor * (parts[0].numbers(name) + parts[1].numbers(name)), whole.got(name), allowed)


BOTH = ("training", "inference")

LAWS = {
    law.name: law
    for law in (
        Law("sum-of-dx", "LAW-1", "dx of a channel sums to zero", lambda base: (base,), _sum_of_dx),
        Law(
            "dx-orthogonal-to-xhat",
            "LAW-2",
            "dx is orthogonal to xhat up to the term of eps",
            lambda base: (base.on(gamma=None, beta=None),),
            _orthogonal,
        ),
        Law("shift", "LAW-3", "a constant added to a channel changes nothing", _shifted, _all_agree, coarse=True),
        Law("scale", "LAW-4", "x times k with eps times k squared changes no y", _scaled, _scales),
        Law("permuted-positions", "LAW-5", "the order of values does not matter", _permuted, _permutes),
        Law(
            "permuted-channels", "LAW-6", "the order of channels does not matter", _channels_permuted, _channels_permute
        ),
        Law("independent-channels", "LAW-7", "channels do not see each other", _another_channel, _others_agree),
        Law("layouts", "LAW-8", "channels first and last give the same", _elsewhere, _layouts_agree),
        Law("affine", "LAW-9", "inference is affine in x", _halfway, _affine, coarse=True, modes=("inference",)),
        Law("linear-in-dy", "LAW-10", "gradients are additive in dy", _upstream, _additive, coarse=True, modes=BOTH),
        Law(
            "finite-differences",
            "LAW-11",
            "gradients are the differences of the layer's own y",
            steps,
            differences,
            coarse=True,
            modes=BOTH,
        ),
        Law(
            "first-entry-alone",
            "LAW-12",
            "an entry gives the same bits alone",
            _first_entry,
            _entry_agrees,
            modes=("inference",),
        ),
    )
}
"""Every law by name."""
