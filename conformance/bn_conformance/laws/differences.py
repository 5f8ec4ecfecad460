"""Gradients beside finite differences of the implementation's own y.

Let F(x) = sum(y * dy) per channel. Then (F(x + h v) - F(x - h v)) / 2h is sum(dx * v), up to three errors: those of y
over h, those of dx, and the truncation of the central difference. The truncation is computed from the definition in
binary128. h is near the cube root of the format's unit roundoff, where rounding and truncation are equally large. y is
affine in gamma and beta, and in inference also in x, so there the truncation is 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bn_conformance.cases.recipes import uniform
from bn_conformance.laws.claims import Equality, TrialResult, vanishes
from bn_conformance.laws.trials import Setup
from bn_reference.arithmetic.formats import format_of
from bn_reference.arithmetic.quad import to_quad
from bn_reference.bounds.bound import Bound
from bn_reference.definition.graph import sum_of
from bn_reference.specification.grades import Grade

PARAMETER_STEP = 0.25
"""Step of gamma and beta. y is affine in them, so any step that is exact will do."""

DIRECTION_SEED = 29


def step_of(dtype: str) -> float:
    """h for x: a power of two near the cube root of the unit roundoff."""
    return float(2.0 ** -round(format_of(dtype).precision / 3))


def _direction(setup: Setup) -> Any:
    """v: one of -1, 0 and 1 everywhere, not zero throughout any channel."""
    v = np.floor(3.0 * uniform(DIRECTION_SEED, setup.x.shape)) - 1.0
    v[:, :1] = 1.0
    return v


def steps(base: Setup) -> Sequence[Setup]:
    """The base, then a pair of setups, one step up and one down, for x and for each of gamma and beta that there is."""
    x, change = base.x.astype(np.float64), step_of(base.config.dtype) * _direction(base)
    setups = [base, base.on(x=x + change, dy=None), base.on(x=x - change, dy=None)]
    for name in _parameters(base):
        value = getattr(base, name).astype(np.float64)
        setups += [base.on(**{name: value + sign * PARAMETER_STEP}, dy=None) for sign in (1, -1)]
    return setups


def _parameters(setup: Setup) -> list[str]:
    return [name for name in ("gamma", "beta") if getattr(setup, name) is not None]


def differences(outcomes: Sequence[TrialResult]) -> Iterator[Equality]:
    """Claim that each gradient is the difference quotient of y."""
    base, *pairs = outcomes
    yield _along_x(base, pairs[0], pairs[1])
    for place, name in enumerate(_parameters(base.setup), 1):
        yield _along_parameter(name, base, pairs[2 * place], pairs[2 * place + 1])


def _along_x(base: TrialResult, more: TrialResult, less: TrialResult) -> Equality:
    twice = to_quad(2.0 * step_of(base.setup.config.dtype))
    v = to_quad(_direction(base.setup))
    golden_quotient = sum_of(base.dy * (more.expected["y"].values - less.expected["y"].values)) / twice
    truncation = np.abs(golden_quotient - sum_of(v * base.expected["dx"].values))

    def allowed(grade: Grade) -> Bound:
        bound = base.bound("dx", grade)
        of_y = _of_quotient(base, more, less, twice, grade)
        size = of_y.allowed + sum_of(np.abs(v) * bound.allowed) + truncation
        return Bound(size, of_y.meaningful & bound.meaningful)

    quotient = sum_of(base.dy * (more.numbers("y") - less.numbers("y"))) / twice
    return vanishes("dx", quotient - sum_of(v * base.numbers("dx")), allowed)


def _along_parameter(name: str, base: TrialResult, more: TrialResult, less: TrialResult) -> Equality:
    twice, gradient = to_quad(2.0 * PARAMETER_STEP), f"d{name}"

    def allowed(grade: Grade) -> Bound:
        bound, of_y = base.bound(gradient, grade), _of_quotient(base, more, less, twice, grade)
        return Bound(bound.allowed + of_y.allowed, of_y.meaningful & bound.meaningful)

    quotient = sum_of(base.dy * (more.numbers("y") - less.numbers("y"))) / twice
    return vanishes(gradient, quotient - base.numbers(gradient), allowed)


def _of_quotient(base: TrialResult, more: TrialResult, less: TrialResult, twice: Any, grade: Grade) -> Bound:
    """The error of a difference quotient, from the errors of y."""
    above, below = more.bound("y", grade), less.bound("y", grade)
    size = sum_of(np.abs(base.dy) * (above.allowed + below.allowed)) / twice
    return Bound(size, above.meaningful & below.meaningful)
