"""Numbers whose bound is vacuous: whether each lies in the range that follows from the data, and is no NaN."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_conformance.comparison.blocks import Block, Worst
from bn_reference.arithmetic.formats import format_of
from bn_reference.specification.grades import TIGHT, Grade


@dataclass(frozen=True)
class InRange:
    """What ranges say of an array.

    Attributes:
        count: how many numbers were held against a range: those whose bound is vacuous.
        outside: the number that is farthest outside, whose bound is the way to the end of the range; None where each is
            inside.
        ends: of that number: from where to where sound algorithms stay; else None.
    """

    count: int = 0
    outside: Worst | None = None
    ends: tuple[float, float] | None = None


@dataclass(frozen=True)
class _Ends:
    """The range of a block under a grade, as float64 rows, and the largest number of the format of the array."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    largest: float

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where something follows from the range: it lies within the format, so that nothing overflows on the way."""
        return (np.abs(self.low) < self.largest) & (np.abs(self.high) < self.largest)

    def outside(self, block: Block) -> NDArray[np.bool_]:
        """Where a number is beyond an end, or is NaN."""
        got = block.wide
        return np.asarray(self.known & ((got > self.high) | (got < self.low) | np.isnan(got)))


def in_range(blocks: Iterable[Block]) -> InRange:
    """Hold the numbers of an array whose bound is vacuous against their ranges."""
    found = InRange()
    for block in blocks:
        if not block.mask.all() and block.expected.range is not None:
            found = _with(found, block)
    return found


def _with(found: InRange, block: Block) -> InRange:
    """What is known after one more block."""
    ends, asked = _ends(block, block.widest), ~block.mask & _ends(block, TIGHT).known
    count, beyond = found.count + int(asked.sum()), asked & ends.outside(block)
    if not beyond.any():
        return replace(found, count=count)
    worst, own = _farthest(block, ends, beyond)
    if found.outside is None or found.outside.behind(worst):
        return InRange(count, worst, own)
    return replace(found, count=count)


def _ends(block: Block, grade: Grade) -> _Ends:
    """The range of a block under a grade."""
    if block.expected.range is None:
        raise ValueError("the golden has no range; ask only where it has one")
    low, high = (_rows(end, block.rows.shape) for end in block.expected.range(grade))
    return _Ends(low, high, format_of(block.rows.dtype).largest)


def _rows(end: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float64]:
    narrow = np.asarray(end).astype(np.float64)
    return np.broadcast_to(narrow if narrow.ndim == 2 else narrow[:, None], shape)


def _farthest(block: Block, ends: _Ends, beyond: NDArray[np.bool_]) -> tuple[Worst, tuple[float, float]]:
    """The number that is farthest outside, by the way from the golden over the way to the end of the range."""
    golden, got = block.golden.astype(np.float64), block.wide
    way = np.where(got < ends.low, golden - ends.low, ends.high - golden)
    error = np.where(np.isnan(got), np.inf, np.abs(got - golden))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(beyond, np.where(np.isnan(error / way), np.inf, error / way), -1.0)
    row, column = (int(part) for part in np.unravel_index(int(np.argmax(share)), share.shape))
    found = Worst(
        sortable=float(share[row, column]),
        row=block.first_row + row,
        column=block.first + column,
        error=float(error[row, column]),
        bound=float(way[row, column]),
        ratio=float(share[row, column]),
        expected=float(golden[row, column]),
        got=float(got[row, column]),
    )
    return found, (float(ends.low[row, column]), float(ends.high[row, column]))


NOTHING_RANGED = InRange()
