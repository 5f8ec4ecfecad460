"""The numbers that show a fault: where they are, what is exact, and which error is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.cases.model import Case
from bn_conformance.comparison.array import ArrayPlace
from bn_conformance.comparison.blocks import Block, Blocks
from bn_conformance.results.outcomes import WRONG
from bn_conformance.results.records import Quantity
from bn_reference.arithmetic.quad import Quad, parts_of
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import GRADES, STABLE, TIGHT, Grade

MOST_SHOWN = 4
"""Numbers that a script shows."""

DIGITS = 30
"""Digits of an exact number."""


@dataclass(frozen=True)
class Shown:
    """A number that shows a fault.

    Attributes:
        index: where it is in its array.
        exact: the golden as a decimal text.
        allowed: the largest error that is allowed.
        badness: error / allowed.
    """

    index: tuple[int, ...]
    exact: str
    allowed: float
    badness: float


@dataclass(frozen=True)
class Shows:
    """The numbers that show a fault, the worst first, and a sentence that says what the allowed error is."""

    numbers: tuple[Shown, ...]
    meaning: str


def shown_numbers(case: Case, quantity: Quantity, expected: Expected, got: Array, channel_axis: int) -> Shows:
    """The worst numbers of a quantity, each with an error that no grade explains which the outcome excludes.

    Args:
        case: the case.
        quantity: its record.
        expected: its golden with bounds.
        got: the array.
        channel_axis: the axis of the channels in `got`; 0 for a vector.
    """
    if quantity.ends is not None and quantity.index is not None:
        low, high = quantity.ends
        text = f"the way to the nearer end of [{low:.6g}, {high:.6g}], where every sound algorithm stays"
        exact = f"{quantity.expected:.17g}"
        return Shows((Shown(quantity.index, exact, quantity.bound or 0.0, quantity.ratio or np.inf),), text)
    grades, meaning = _excluded(case, quantity, got)
    place = ArrayPlace(got.shape, channel_axis)
    numbers: list[Shown] = []
    for block in Blocks(quantity.name, expected, got, channel_axis, case.nonfinite_alike):
        numbers += _worst(block, grades, place, case.exact)
    return Shows(tuple(sorted(numbers, key=lambda number: -number.badness)[:MOST_SHOWN]), meaning)


def _excluded(case: Case, quantity: Quantity, got: Array) -> tuple[tuple[Grade, ...], str]:
    """The grades that do not explain the quantity, and what the largest error of theirs is in words."""
    rounding = f"the largest error that rounding in {got.dtype.name} may cause at this number"
    derived = "derived from these data, element by element; it is no fixed tolerance"
    if case.exact:
        return (), "0, since every correct algorithm gives the exact result for these data: no operation rounds"
    if case.tight:
        return (TIGHT,), f"{rounding} in a direct or two-pass algorithm that rounds no parameter, {derived}"
    if quantity.outcome != WRONG:
        return (TIGHT, STABLE), f"{rounding} in a numerically stable algorithm, {derived}"
    unstable = "E[x^2] - E[x]^2, one running sum, arithmetic in the format of x"
    return GRADES, f"{rounding} in any known algorithm, the unstable ones included ({unstable}), {derived}"


def _worst(block: Block, grades: tuple[Grade, ...], place: ArrayPlace, exact: bool) -> Iterator[Shown]:
    allowed = np.zeros(block.rows.shape)
    tight, _ = block.allowed(TIGHT)
    for grade in grades:
        bound, meaningful = block.allowed(grade)
        allowed = np.maximum(allowed, np.where(meaningful, bound, tight).astype(np.float64))
    errors = np.where(block.kinds, block.errors, np.inf).astype(np.float64)
    errors = np.where(block.same if exact else block.rows == block.rounded, 0.0, errors)
    with np.errstate(divide="ignore", invalid="ignore"):
        badness = np.where(block.mask & (errors > 0), errors / allowed, 0.0)
    for flat in np.argsort(-np.nan_to_num(badness, nan=np.inf), axis=None, kind="stable")[:MOST_SHOWN]:
        row, column = (int(part) for part in np.unravel_index(int(flat), badness.shape))
        if not badness[row, column] <= 1:
            index = place.index(row, block.first + column)
            exact_text = decimal_text(block.golden[row, column])
            yield Shown(index, exact_text, float(allowed[row, column]), float(badness[row, column]))


def decimal_text(number: Quad) -> str:
    """A binary128 number with 30 digits; `nan`, `inf` or `-inf` where it is not finite."""
    high, rest = (float(part) for part in parts_of(np.asarray(number)))
    if not np.isfinite(high):
        return str(high)
    return str(Context(prec=DIGITS).plus(Context(prec=60).add(Decimal(high), Decimal(rest))))
