"""Goldens moved to the numbers of a deviating layer, and what an implementation of it may be off by.

The bounds are those of the right layer, grown with the numbers. Three things come on top, since a deviation may be
worse-behaved than what it deviates from: a number that it rounds to a coarser format may fall to either side; it may
magnify the rounding of what comes before (where it cancels digits); and it may take to one element what is allowed in
another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bn_conformance.cases.model import Case
from bn_conformance.cases.recipes import dtype_of
from bn_conformance.diagnosis.distance import results_of
from bn_conformance.hosting.host import Returned
from bn_conformance.judging.goldens import StepGolden
from bn_conformance.observing.observation import StepObservation
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.formats import format_of
from bn_reference.arithmetic.quad import QUAD, Quad, to_quad
from bn_reference.bounds.batch import Bound
from bn_reference.definition.state import Statistics
from bn_reference.golden.expected import Expected
from bn_reference.golden.golden import Golden
from bn_reference.specification.grades import Grade

SLACK = 4.0
"""How much more than a right layer a deviating one may be off: bounds are those of the right arithmetic."""

COARSE = ("bfloat16", "float16", "float32")
"""Formats that a deviation may round to on its way, the coarsest first."""


def rebased(step: StepGolden, theirs: StepObservation, narrow: Sequence[StepObservation], case: Case) -> StepGolden:
    """The golden of a step with the numbers of a deviating layer.

    Args:
        step: the right golden.
        theirs: what the deviating layer gives in fine arithmetic, unrounded.
        narrow: what it gives in the arithmetic that implementations use, in some orders of its sums,
            where that noise is to be allowed for.
        case: the case.
    """
    golden = _Rebased(step.golden, theirs, narrow, case.config.channel_axis)
    return replace(step, golden=golden, training=None if step.training is None else golden.rebase(step.training))


class _Rebased(Golden):
    """A golden with the numbers of a deviating layer, and the bounds that the right numbers have."""

    def __init__(self, golden: Golden, theirs: StepObservation, narrow: Sequence[StepObservation], axis: int) -> None:
        vars(self).update(vars(golden))
        self._golden, self._axis = golden, axis
        self._theirs, self._narrow = theirs, narrow

    def rebase(self, expected: Mapping[str, Expected]) -> dict[str, Expected]:
        """Outputs and gradients."""
        return self._all_moved(expected, self._axis)

    def _all_moved(self, expected: Mapping[str, Expected], axis: int) -> dict[str, Expected]:
        theirs, narrow = results_of(self._theirs), [results_of(one) for one in self._narrow]
        return {
            name: _moved(one, theirs.get(name), [part.get(name) for part in narrow], axis)
            for name, one in expected.items()
        }

    def inference(self, statistics: Statistics, dy: Quad | None) -> dict[str, Expected]:
        """Outputs and gradients in inference."""
        return self.rebase(self._golden.inference(statistics, dy))

    def second_order(self, *arguments: Any, **named: Any) -> dict[str, Expected]:
        """Gradients of the second order."""
        return self.rebase(self._golden.second_order(*arguments, **named))

    def update(self, statistics: Statistics, grade: Grade) -> tuple[Statistics, dict[str, Expected]]:
        """The running statistics after the step."""
        after, expected = self._golden.update(statistics, grade)
        return after, self._all_moved(expected, 0)

    def updated(self, statistics: Statistics) -> dict[str, Expected]:
        """The running statistics after the step, without a state to carry on."""
        return self._all_moved(self._golden.updated(statistics), 0)


def _moved(expected: Expected, theirs: Returned | None, narrow: Sequence[Returned | None], axis: int) -> Expected:
    """The golden with other values; bounds grow with them."""
    values = _placed(theirs, expected.values, axis)
    if values is None or not isinstance(theirs, np.ndarray):
        return expected
    rounding = to_quad(2.0 * _unit(theirs, expected.values)) * np.abs(values)
    moved = _moved_by(values, [_placed(one, expected.values, axis) for one in narrow])
    growth = SLACK * _growth(expected.values, values)

    def bound(grade: Grade) -> Bound:
        allowed, meaningful = expected.bound(grade)
        if allowed.ndim == 2 and allowed.shape[1]:  # a deviation may take to one element what is allowed in another
            allowed = np.broadcast_to(allowed.max(axis=1, keepdims=True), allowed.shape)
        larger = allowed * (growth + SLACK * _magnified(moved, allowed)) + rounding
        return Bound(np.where(np.isfinite(values), larger, allowed), meaningful)

    return Expected(values, bound)


def _placed(theirs: Returned | None, right: Quad, axis: int) -> Quad | None:
    """A result as the golden has it, rows or vector; None where it does not fit."""
    if not isinstance(theirs, np.ndarray):
        return None
    whole = right.ndim == 2
    if whole and theirs.ndim <= axis:
        return None
    values = to_quad(channels_first(theirs, axis)) if whole else to_quad(theirs)
    return values if values.shape == right.shape else None


def _unit(theirs: np.ndarray[Any, Any], right: Quad) -> float:
    """The unit roundoff of the format that a deviation rounds to; 0 where it rounds to none.

    That is the format of its result, or the coarsest that holds all its numbers and not the right ones.
    """
    if theirs.dtype != QUAD and theirs.dtype != np.float64:
        return format_of(theirs.dtype).unit_roundoff
    held = next((name for name in COARSE if _holds(name, theirs)), None)
    return 0.0 if held is None or _holds(held, right) else format_of(held).unit_roundoff


def _holds(name: str, values: np.ndarray[Any, Any]) -> bool:
    """Whether a format holds every finite number."""
    double = values.astype(np.float64)
    rounded = double.astype(dtype_of(name)).astype(np.float64)
    return bool(np.all((rounded == double) | ~np.isfinite(double)))


def _moved_by(values: Quad, narrow: Sequence[Quad | None]) -> Quad:
    """By how much the arithmetic of implementations moves each number; 0 where it makes a number of none, or none."""
    moved = np.zeros_like(values)
    for one in narrow:
        if one is not None:
            apart = np.abs(one - values)
            moved = np.maximum(moved, np.where(np.isfinite(apart), apart, to_quad(0.0)))
    return moved


def _magnified(moved: Quad, allowed: Quad) -> Quad:
    """How many times the bound of the right layer the numbers are moved, at most.

    One factor for all: where few values are added up, the noise that two orders show may be 0 in one channel by chance.
    """
    known = np.isfinite(allowed) & (allowed > 0)
    if not known.any():
        return to_quad(0.0)
    return np.asarray(np.max(moved[known] / allowed[known]))


def _growth(right: Quad, wrong: Quad) -> Quad:
    """How much larger the values are, channel by channel; 1 at least."""
    growth = np.maximum(1, _largest(wrong) / np.maximum(_largest(right), to_quad(1e-300)))
    return np.asarray(growth if right.ndim == 1 else growth[:, None])


def _largest(rows: Quad) -> Quad:
    """The largest finite magnitude of each row (of a vector: of each number)."""
    sizes = np.abs(np.where(np.isfinite(rows), rows, to_quad(0.0)))
    if rows.ndim == 1:
        return np.asarray(sizes)
    return np.asarray(sizes.max(axis=1) if rows.shape[1] else np.zeros(rows.shape[0], QUAD))
