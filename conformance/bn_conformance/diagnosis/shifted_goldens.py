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

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_conformance.adapter import Array
from bn_conformance.cases.model import Case
from bn_conformance.cases.recipes import dtype_of
from bn_conformance.diagnosis.distance import results_of
from bn_conformance.diagnosis.failing_goldens import AnyNumbers, GoldenOf
from bn_conformance.diagnosis.tuning import TUNING
from bn_conformance.hosting.operations import Returned
from bn_conformance.judging.goldens import StepGolden
from bn_conformance.observing.observation import StepObservation
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.formats import format_of
from bn_reference.arithmetic.quad import QUAD, Quad, parts_of, to_quad
from bn_reference.bounds.bound import Bound
from bn_reference.definition.state import Statistics
from bn_reference.golden.expected import Expected
from bn_reference.golden.golden import Golden
from bn_reference.specification.grades import STABLE, TIGHT, Grade

COARSE = ("bfloat16", "float16", "float32")
"""Formats that a mutant may round to on its way, the coarsest first."""


def shifted(
    golden: StepGolden,
    mutant: StepObservation,
    narrow: Sequence[StepObservation],
    case: Case,
    only: Collection[str] | None = None,
) -> StepGolden:
    """The golden of a step with the numbers of a mutant.

    Args:
        golden: the right golden.
        mutant: what the mutant gives in fine arithmetic, unrounded.
        narrow: what it gives in the precision that implementations use, in some orders of its sums; empty where
            rounding errors are not to be allowed for.
        case: the case.
        only: the results that are compared; None for all.
    """
    moved = _ShiftedGolden(golden.golden, mutant, narrow, case.config.channel_axis, only)
    training = None if golden.training is None else moved.shift(golden.training)
    return replace(golden, golden=moved, training=training)


class _ShiftedGolden(GoldenOf):
    """A golden with the numbers of a mutant and the bounds that the right numbers have."""

    def __init__(
        self,
        golden: Golden,
        mutant: StepObservation,
        narrow: Sequence[StepObservation],
        channel_axis: int,
        only: Collection[str] | None,
    ) -> None:
        super().__init__(golden)
        self._channel_axis, self._only = channel_axis, only
        self._mutant, self._narrow = results_of(mutant), [results_of(step) for step in narrow]

    def shift(self, expected: Mapping[str, Expected]) -> dict[str, Expected]:
        """Outputs and gradients."""
        return self._shifted(expected, self._channel_axis)

    def _shifted(self, expected: Mapping[str, Expected], channel_axis: int) -> dict[str, Expected]:
        return {name: self._one(name, values, channel_axis) for name, values in expected.items()}

    def _one(self, name: str, expected: Expected, channel_axis: int) -> Expected:
        if self._only is not None and name not in self._only:
            return AnyNumbers(lambda: expected)
        return _shifted(expected, self._mutant.get(name), [step.get(name) for step in self._narrow], channel_axis)

    def inference(self, statistics: Statistics, dy: Quad | None) -> dict[str, Expected]:
        """Outputs and gradients in inference."""
        return self.shift(self.golden.inference(statistics, dy))

    def second_order(self, *arguments: Any, **named: Any) -> dict[str, Expected]:
        """Gradients of the second order."""
        return self.shift(self.golden.second_order(*arguments, **named))

    def update(self, statistics: Statistics, grade: Grade) -> tuple[Statistics, dict[str, Expected]]:
        """The running statistics after the step."""
        after, expected = self.golden.update(statistics, grade)
        return after, self._shifted(expected, 0)

    def updated(self, statistics: Statistics) -> dict[str, Expected]:
        """The running statistics after the step, without a state to carry on."""
        return self._shifted(self.golden.updated(statistics), 0)


class _Numbers:
    """The numbers of a mutant as rows or a vector, in binary128 and in float64.

    Args:
        rows: in the shape of their golden.
    """

    def __init__(self, rows: Array) -> None:
        self.values, self.in_one_part = to_quad(rows), rows.dtype != QUAD
        if self.in_one_part:
            near = rows.astype(np.float64)
            self.parts = near, np.zeros_like(near)
        else:
            self.parts = parts_of(self.values)

    def within(self, dtype: np.dtype[Any]) -> Quad:
        """The numbers in binary128, or rounded to float64."""
        return self.values if dtype == QUAD else self.parts[0]

    @cached_property
    def fit_float64(self) -> bool:
        """Whether none is beyond float64."""
        return self.in_one_part or bool(np.isfinite(self.parts[0]).all())


class ShiftedExpected(Expected):
    """A mutant's numbers with their bounds. What `stable` does not explain is wrong, whichever grade explains it."""

    grades = (TIGHT, STABLE)

    def __init__(self, numbers: _Numbers, bound: Callable[[Grade], Bound]) -> None:
        super().__init__(numbers.values, bound)
        self.in_parts, self._in_one_part = numbers.parts, numbers.in_one_part

    def rounded(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """The numbers rounded to a format: NumPy rounds float64 to its own formats correctly."""
        return self.in_parts[0].astype(dtype) if self._in_one_part and dtype.kind == "f" else super().rounded(dtype)


def _shifted(expected: Expected, mutant: Returned | None, narrow: Sequence[Returned | None], axis: int) -> Expected:
    """The golden with the mutant's values, and with bounds that grow with them; unchanged where there are none."""
    rows = _in_rows(mutant, expected.values, axis)
    if rows is None or not isinstance(mutant, np.ndarray):
        return expected
    numbers = _Numbers(rows)
    rounded = [_Numbers(part) for result in narrow if (part := _in_rows(result, expected.values, axis)) is not None]
    if _is_chance(numbers, rounded):
        nowhere = np.zeros(expected.values.shape[0], np.bool_)
        return Expected(expected.values, lambda grade: Bound(expected.bound(grade).allowed, nowhere))
    unit_roundoff = _unit_roundoff(mutant, expected)

    def bound(grade: Grade) -> Bound:
        allowed, meaningful = expected.bound(grade)
        fits = allowed.dtype == np.float64 and numbers.fit_float64 and expected.finite.all()
        for dtype in (np.dtype(np.float64), QUAD)[0 if fits else 1 :]:
            larger = _Shift(expected, numbers, rounded, unit_roundoff, dtype).larger(allowed)
            if np.isfinite(larger).all():
                break
        return Bound(larger, meaningful)

    return ShiftedExpected(numbers, bound)


def _in_rows(result: Returned | None, golden: Quad, axis: int) -> Array | None:
    """A result in the shape of its golden, rows (C, n) or a vector (C,); None where it does not fit."""
    if not isinstance(result, np.ndarray):
        return None
    has_rows = golden.ndim == 2
    if has_rows and result.ndim <= axis:
        return None
    rows = channels_first(result, axis) if has_rows else result
    return rows if rows.shape == golden.shape else None


def _unit_roundoff(result: Array, golden: Expected) -> float:
    """The unit roundoff of the format to which a mutant rounds; 0 where it rounds to none.

    That is the format of its result, or else the coarsest one that holds all its numbers and not all right ones.
    """
    if result.dtype != QUAD and result.dtype != np.float64:
        return format_of(result.dtype).unit_roundoff
    if not _holds(COARSE[-1], result):  # which holds what the others do
        return 0.0
    name = next(name for name in COARSE if _holds(name, result))
    return 0.0 if _holds(name, golden.values) else format_of(name).unit_roundoff


def _holds(name: str, values: Array) -> bool:
    """Whether a format holds every finite number."""
    double = values.astype(np.float64)
    rounded = double.astype(dtype_of(name)).astype(np.float64)
    return bool(np.all((rounded == double) | ~np.isfinite(double)))


def _is_chance(numbers: _Numbers, narrow: Sequence[_Numbers]) -> bool:
    """Whether it is a matter of rounding that a result is a number: the orders of the sums disagree about it."""
    finite = np.isfinite(numbers.values) if narrow else None
    return any(bool(np.any(finite != np.isfinite(result.values))) for result in narrow)


class _Shift:
    """How the bounds of a golden grow for a mutant.

    Args:
        golden: the right numbers.
        numbers: of the mutant.
        narrow: what it gives in the usual precision.
        unit_roundoff: of the format to which it rounds.
        dtype: float64 or binary128, in which this is computed.
    """

    def __init__(
        self,
        golden: Expected,
        numbers: _Numbers,
        narrow: Sequence[_Numbers],
        unit_roundoff: float,
        dtype: np.dtype[Any],
    ) -> None:
        self._values, self._dtype = numbers.within(dtype), dtype
        self._golden = golden.values if dtype == QUAD else golden.in_parts[0]
        self._narrow = [result.within(dtype) for result in narrow]
        self._unit_roundoff = unit_roundoff

    def larger(self, allowed: Quad) -> Quad:
        """The error that is allowed of the mutant, where that is allowed of the right numbers."""
        values = self._values
        if allowed.ndim == 2 and allowed.shape[1]:  # one element may get what is allowed in another
            allowed = np.broadcast_to(allowed.max(axis=1, keepdims=True), allowed.shape)
        factor = TUNING.bound_growth * (self._growth() + self._magnified(allowed))
        larger = allowed * factor + (2.0 * self._unit_roundoff) * np.abs(values)
        finite = np.isfinite(values)
        return larger if finite.all() else np.where(finite, larger, allowed)

    def _growth(self) -> Quad:
        """How many times larger the mutant's values are, at least 1: of shape (C, 1) for rows, (C,) for a vector."""
        smallest = np.asarray(1e-300).astype(self._dtype)
        growth = np.maximum(1, _largest(self._values) / np.maximum(_largest(self._golden), smallest))
        return np.asarray(growth if self._golden.ndim == 1 else growth[:, None])

    def _magnified(self, allowed: Quad) -> Quad:
        """The most that the noise is, as a multiple of the right bound.

        It is one factor for all elements: where few values are added up, two orders may show no noise in one channel by
        chance.
        """
        known = np.isfinite(allowed) & (allowed > 0)
        if not self._narrow or not known.any():
            return np.zeros((), self._dtype)
        return np.asarray(np.max(self._noise()[known] / allowed[known]))

    def _noise(self) -> Quad:
        """How far the usual precision moves each number; 0 where it moves none, or where the result is no number."""
        noise = np.zeros_like(self._values)
        for result in self._narrow:
            difference = np.abs(result - self._values)
            noise = np.maximum(noise, np.where(np.isfinite(difference), difference, np.zeros((), self._dtype)))
        return noise


def _largest(rows: Quad) -> Quad:
    """The largest finite magnitude of each row (of a vector: of each number)."""
    sizes = np.abs(np.where(np.isfinite(rows), rows, np.zeros((), rows.dtype)))
    if rows.ndim == 1:
        return np.asarray(sizes)
    return np.asarray(sizes.max(axis=1) if rows.shape[1] else np.zeros(rows.shape[0], rows.dtype))
