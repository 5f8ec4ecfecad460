"""Compares an array with its golden: which is the best grade that explains the errors?

There is no tolerance here: every allowed error comes from `bn_reference.bounds`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import frexp, inf, isfinite, ldexp, prod
from typing import Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.comparison.blocks import Block, Blocks, Worst, ratios_of, sortable
from bn_conformance.comparison.ranges import NOTHING_RANGED, InRange, in_range
from bn_conformance.comparison.usual import survey_usual
from bn_conformance.hosting.wire import NotAnArray
from bn_conformance.results.outcomes import EXACT, NOT_JUDGED, WRONG
from bn_conformance.results.records import Quantity
from bn_reference.arithmetic.formats import Format, format_of
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import Grade


@dataclass(frozen=True)
class ArrayPlace:
    """Where the judged array lies: its shape, and the axis of its channels (0 for a vector)."""

    shape: tuple[int, ...]
    channel_axis: int

    def index(self, row: int, column: int) -> tuple[int, ...]:
        """The index in the array of an element of its rows."""
        others = tuple(size for axis, size in enumerate(self.shape) if axis != self.channel_axis)
        rest = [int(part) for part in np.unravel_index(column, others)] if others else []
        return (*rest[: self.channel_axis], row, *rest[self.channel_axis :])


def shape_and_dtype_fault(name: str, got: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    """Empty, or what is wrong with the type, shape or dtype of a returned array."""
    if not isinstance(got, np.ndarray):
        kind = got.description if isinstance(got, NotAnArray) else f"an object of type {type(got).__name__}"
        return f"{name} is {kind}; expected an array of shape {shape} and dtype {dtype.name}"
    if got.shape != shape:
        return f"{name} has shape {got.shape}; expected {shape}"
    if got.dtype != dtype:
        return f"{name} has dtype {got.dtype}; expected {dtype.name}"
    return ""


@dataclass(frozen=True)
class Comparison:
    """An array next to its golden.

    Attributes:
        name: of the quantity.
        level: the best level that explains every judged element; `wrong` where none does, `not-judged` where no bound
            means anything.
        judged: how many elements are judged.
        worst: the judged element with the largest error / bound at grade `tight`; None where none is judged. The
            element that is farthest outside its range, where one is.
        blocks: the array, block by block.
        place: where it lies.
        format_: its number format.
        ranges: what ranges say of the elements that no bound judges.
    """

    name: str
    level: str
    judged: int
    worst: Worst | None
    blocks: Blocks
    place: ArrayPlace
    format_: Format
    ranges: InRange = NOTHING_RANGED

    def quantity(self, clauses: tuple[str, ...], outcome: str = "", excess: float | None = None) -> Quantity:
        """The record of the comparison.

        Args:
            clauses: ids that the quantity is judged under.
            outcome: of the quantity; empty for the level.
            excess: how wrong a wrong one is; None for the largest error / allowed under the grade that comes nearest.
        """
        outcome, total, worst = outcome or self.level, prod(self.place.shape), self.worst
        if total == 0:
            return Quantity(name=self.name, outcome=EXACT, clauses=clauses)
        if worst is None:
            return Quantity(name=self.name, outcome=outcome, clauses=clauses, total=total, ranged=self.ranges.count)
        if self.ranges.outside is not None:
            excess = np.inf if excess is not None else worst.sortable
        elif outcome == WRONG and excess is None:
            excess = _excess(self.blocks)
        return Quantity(
            name=self.name,
            outcome=outcome,
            clauses=clauses,
            error=worst.error,
            bound=worst.bound,
            ratio=worst.ratio,
            ulp=_ulp(worst.error, worst.expected, self.format_),
            index=self.place.index(worst.row, worst.column),
            expected=worst.expected,
            got=worst.got,
            judged=self.judged,
            total=total,
            ranged=self.ranges.count,
            ends=self.ranges.ends,
            excess=excess,
        )


def compare(
    name: str,
    expected: Expected,
    got: Array,
    channel_axis: int,
    nonfinite_alike: bool = False,
    watch: Callable[[Block], None] | None = None,
) -> Comparison:
    """Compare one array of the right shape and dtype with its golden.

    Args:
        name: of the quantity, for the record.
        expected: golden rows (or vector) with its bounds.
        got: what the implementation gave: a tensor, or a vector of shape (C,).
        channel_axis: axis of the channels in `got`.
        nonfinite_alike: where the golden is NaN or infinite, any NaN or infinity is right.
        watch: is shown each block once, in order.

    Raises:
        SuiteError: a bound is NaN or negative.
    """
    blocks = Blocks(name, expected, got, channel_axis, nonfinite_alike)
    usual = survey_usual(expected, got, channel_axis) if watch is None else None
    level, judged, worst = usual or _survey(blocks, expected.grades, watch)
    ranges = in_range(blocks) if level != EXACT and judged < got.size else NOTHING_RANGED
    if ranges.outside is not None:
        level, worst = WRONG, ranges.outside
    place = ArrayPlace(got.shape, channel_axis)
    return Comparison(name, level, judged, worst, blocks, place, format_of(got.dtype), ranges)


def judge(
    name: str,
    expected: Expected,
    got: Array,
    channel_axis: int,
    clauses: tuple[str, ...],
    nonfinite_alike: bool = False,
) -> Quantity:
    """The record of `compare`, under some clauses.

    Raises:
        SuiteError: a bound is NaN or negative.
    """
    return compare(name, expected, got, channel_axis, nonfinite_alike).quantity(clauses)


def _survey(
    blocks: Blocks, grades: Sequence[Grade], watch: Callable[[Block], None] | None
) -> tuple[str, int, Worst | None]:
    """The best level that explains every judged element, how many elements are judged, and the worst of them.

    Exact blocks are compared with grades only if some other block is not exact. A later block may ask for a worse
    grade. Grades are not nested, so the blocks before it are then compared with that grade too.
    """
    worst: Worst | None = None
    exact, judged, level, unjudged = True, 0, 0, 0
    for number, block in enumerate(blocks):
        judged += int(block.mask.sum())
        if watch is not None:
            watch(block)
        worst_of_block = block.worst()
        if worst is None or (worst_of_block is not None and worst.behind(worst_of_block)):
            worst = worst_of_block
        exact = exact and (block.rows.size == 0 or block.exact)
        if exact:
            unjudged = number + 1
            continue
        taken = _explaining(block, grades, level)
        if taken != level:
            level, unjudged = taken, number
    if exact:
        return EXACT, judged, worst
    if worst is None:
        return NOT_JUDGED, judged, worst
    until: int | None = unjudged
    while until != 0 and level < len(grades):
        taken = level
        for block in islice(blocks, until):
            taken = _explaining(block, grades, taken)
        level, until = taken, (0 if taken == level else None)
    return grades[level].level if level < len(grades) else WRONG, judged, worst


def _explaining(block: Block, grades: Sequence[Grade], level: int) -> int:
    """The index of the first grade from `level` on that explains a block; the number of grades where none does."""
    return next((at for at in range(level, len(grades)) if block.explained(grades[at])), len(grades))


def _excess(blocks: Blocks) -> float:
    """How wrong a wrong array is: the largest error / allowed, under the grade for which that is smallest.

    A grade does not count where its bound is vacuous for a judged element. The result is infinite where a number stands
    for a NaN or an infinity, or the other way round.
    """
    largest: dict[int, float] = {}
    void: set[int] = set()
    for block in blocks:
        if not block.kinds.all():
            return np.inf
        for at, grade in enumerate(block.expected.grades):
            allowed, meaningful = block.allowed(grade)
            if np.any(block.mask & np.isfinite(block.errors) & ~meaningful):
                void.add(at)
            elif meaningful.any():
                ratio = float(np.max(sortable(ratios_of(block.errors, allowed), meaningful)))
                largest[at] = max(largest.get(at, 0.0), ratio)
    return min((ratio for at, ratio in largest.items() if at not in void), default=np.inf)


def _ulp(error: float, expected: float, format_: Format) -> float | None:
    """The error in units in the last place of the expected value; None where that has none."""
    if not isfinite(expected) or not isfinite(error):
        return None
    exponent = max(frexp(expected)[1] - 1, format_.min_exponent) if expected else format_.min_exponent
    return _scaled(error, format_.precision - 1 - exponent)


def _scaled(number: float, exponent: int) -> float:
    """number * 2**exponent, infinite where that is beyond float64."""
    try:
        return ldexp(number, exponent)
    except OverflowError:
        return inf
