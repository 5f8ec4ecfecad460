"""Goldens shifted to the numbers of a mutant, and how far an implementation of that mutant may be off them.

The bounds are those of the right numbers, grown with the numbers. Four allowances are added, since a mutant may be
less accurate than the layer that it is made from:

- where it rounds a number to a coarser format, the number may fall to either side;
- where it cancels digits, it magnifies the rounding errors of what comes before;
- it may give to one element what the bounds allow in another element of the channel;
- where rounding decides whether it gives a number at all, such as the root of a variance that may be negative, any
  number is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bn_conformance.cases.model import Case
from bn_conformance.cases.recipes import dtype_of
from bn_conformance.diagnosis.distance import results_of
from bn_conformance.diagnosis.tuning import TUNING
from bn_conformance.hosting.operations import Returned
from bn_conformance.judging.goldens import StepGolden
from bn_conformance.observing.observation import StepObservation
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.formats import format_of
from bn_reference.arithmetic.quad import QUAD, Quad, to_quad
from bn_reference.bounds.bound import Bound
from bn_reference.definition.state import Statistics
from bn_reference.golden.expected import Expected
from bn_reference.golden.golden import Golden
from bn_reference.specification.grades import Grade

COARSE = ("bfloat16", "float16", "float32")
"""Formats that a mutant may round to on its way, the coarsest first."""


def shifted(golden: StepGolden, mutant: StepObservation, narrow: Sequence[StepObservation], case: Case) -> StepGolden:
    """The golden of a step with the numbers of a mutant.

    Args:
        golden: the right golden.
        mutant: what the mutant gives in fine arithmetic, unrounded.
        narrow: what it gives in the precision that implementations use, in some orders of its sums; empty where
            rounding errors are not to be allowed for.
        case: the case.
    """
    moved = _ShiftedGolden(golden.golden, mutant, narrow, case.config.channel_axis)
    training = None if golden.training is None else moved.shift(golden.training)
    return replace(golden, golden=moved, training=training)


class _ShiftedGolden(Golden):
    """A golden with the numbers of a mutant and the bounds that the right numbers have."""

    def __init__(
        self, golden: Golden, mutant: StepObservation, narrow: Sequence[StepObservation], channel_axis: int
    ) -> None:
        vars(self).update(vars(golden))  # what the golden has computed already is not computed again
        self._golden, self._channel_axis = golden, channel_axis
        self._mutant, self._narrow = results_of(mutant), [results_of(step) for step in narrow]

    def shift(self, expected: Mapping[str, Expected]) -> dict[str, Expected]:
        """Outputs and gradients."""
        return self._shifted(expected, self._channel_axis)

    def _shifted(self, expected: Mapping[str, Expected], channel_axis: int) -> dict[str, Expected]:
        return {
            name: _shifted(values, self._mutant.get(name), [step.get(name) for step in self._narrow], channel_axis)
            for name, values in expected.items()
        }

    def inference(self, statistics: Statistics, dy: Quad | None) -> dict[str, Expected]:
        """Outputs and gradients in inference."""
        return self.shift(self._golden.inference(statistics, dy))

    def second_order(self, *arguments: Any, **named: Any) -> dict[str, Expected]:
        """Gradients of the second order."""
        return self.shift(self._golden.second_order(*arguments, **named))

    def update(self, statistics: Statistics, grade: Grade) -> tuple[Statistics, dict[str, Expected]]:
        """The running statistics after the step."""
        after, expected = self._golden.update(statistics, grade)
        return after, self._shifted(expected, 0)

    def updated(self, statistics: Statistics) -> dict[str, Expected]:
        """The running statistics after the step, without a state to carry on."""
        return self._shifted(self._golden.updated(statistics), 0)


def _shifted(expected: Expected, mutant: Returned | None, narrow: Sequence[Returned | None], axis: int) -> Expected:
    """The golden with the mutant's values, and with bounds that grow with them; unchanged where there are none."""
    values = _in_rows(mutant, expected.values, axis)
    if values is None or not isinstance(mutant, np.ndarray):
        return expected
    rounding = to_quad(2.0 * _unit_roundoff(mutant, expected.values)) * np.abs(values)
    rounded = [_in_rows(result, expected.values, axis) for result in narrow]
    if _is_chance(values, rounded):
        nowhere = np.zeros(expected.values.shape[0], np.bool_)
        return Expected(expected.values, lambda grade: Bound(expected.bound(grade).allowed, nowhere))
    noise = _noise(values, rounded)
    growth = TUNING.bound_growth * _growth(expected.values, values)

    def bound(grade: Grade) -> Bound:
        allowed, meaningful = expected.bound(grade)
        if allowed.ndim == 2 and allowed.shape[1]:  # one element may get what is allowed in another
            allowed = np.broadcast_to(allowed.max(axis=1, keepdims=True), allowed.shape)
        larger = allowed * (growth + TUNING.bound_growth * _magnified(noise, allowed)) + rounding
        return Bound(np.where(np.isfinite(values), larger, allowed), meaningful)

    return Expected(values, bound)


def _in_rows(result: Returned | None, golden: Quad, axis: int) -> Quad | None:
    """A result in the shape of its golden, rows (C, n) or a vector (C,); None where it does not fit."""
    if not isinstance(result, np.ndarray):
        return None
    has_rows = golden.ndim == 2
    if has_rows and result.ndim <= axis:
        return None
    values = to_quad(channels_first(result, axis)) if has_rows else to_quad(result)
    return values if values.shape == golden.shape else None


def _unit_roundoff(result: np.ndarray[Any, Any], golden: Quad) -> float:
    """The unit roundoff of the format to which a mutant rounds; 0 where it rounds to none.

    That is the format of its result, or else the coarsest one that holds all its numbers and not all right ones.
    """
    if result.dtype != QUAD and result.dtype != np.float64:
        return format_of(result.dtype).unit_roundoff
    name = next((name for name in COARSE if _holds(name, result)), None)
    return 0.0 if name is None or _holds(name, golden) else format_of(name).unit_roundoff


def _holds(name: str, values: np.ndarray[Any, Any]) -> bool:
    """Whether a format holds every finite number."""
    double = values.astype(np.float64)
    rounded = double.astype(dtype_of(name)).astype(np.float64)
    return bool(np.all((rounded == double) | ~np.isfinite(double)))


def _noise(values: Quad, narrow: Sequence[Quad | None]) -> Quad:
    """How far the usual precision moves each number; 0 where it moves none, or where the result is no number."""
    noise = np.zeros_like(values)
    for result in narrow:
        if result is not None:
            difference = np.abs(result - values)
            noise = np.maximum(noise, np.where(np.isfinite(difference), difference, to_quad(0.0)))
    return noise


def _is_chance(values: Quad, narrow: Sequence[Quad | None]) -> bool:
    """Whether it is a matter of rounding that a result is a number: the orders of the sums disagree about it."""
    finite = np.isfinite(values)
    return any(result is not None and bool(np.any(finite != np.isfinite(result))) for result in narrow)


def _magnified(noise: Quad, allowed: Quad) -> Quad:
    """The most that the noise is, as a multiple of the right bound.

    It is one factor for all elements: where few values are added up, two orders may show no noise in one channel by
    chance.
    """
    known = np.isfinite(allowed) & (allowed > 0)
    if not known.any():
        return to_quad(0.0)
    return np.asarray(np.max(noise[known] / allowed[known]))


def _growth(golden: Quad, values: Quad) -> Quad:
    """How many times larger the mutant's values are, at least 1: of shape (C, 1) for rows, (C,) for a vector."""
    growth = np.maximum(1, _largest(values) / np.maximum(_largest(golden), to_quad(1e-300)))
    return np.asarray(growth if golden.ndim == 1 else growth[:, None])


def _largest(rows: Quad) -> Quad:
    """The largest finite magnitude of each row (of a vector: of each number)."""
    sizes = np.abs(np.where(np.isfinite(rows), rows, to_quad(0.0)))
    if rows.ndim == 1:
        return np.asarray(sizes)
    return np.asarray(sizes.max(axis=1) if rows.shape[1] else np.zeros(rows.shape[0], QUAD))
