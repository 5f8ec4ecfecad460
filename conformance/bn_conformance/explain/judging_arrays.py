"""Judges every recorded array: its level, its worst elements, and the channels in which it is off."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from bn_conformance.comparison.array import ArrayPlace, Comparison, compare
from bn_conformance.comparison.blocks import Block, ratios_of, sortable
from bn_conformance.explain.goldens import StepGoldens
from bn_conformance.results import outcomes
from bn_conformance.results.outcomes import ItemVerdict, Threshold
from bn_conformance.results.records import Quantity

WORST = 5
"""Elements that are told of each array."""


@dataclass(frozen=True)
class WorstElement:
    """One element of an array: where it is, what is right, and what came.

    Attributes:
        index: in the array.
        expected: the golden.
        got: the recorded number.
        error: their difference; infinite where one of them is no number.
        allowed: what the level `tight` allows.
        ratio: error over allowed.
    """

    index: tuple[int, ...]
    expected: float
    got: float
    error: float
    allowed: float
    ratio: float


@dataclass(frozen=True)
class JudgedArray:
    """One recorded array and what became of it.

    Attributes:
        role: what it is, such as `y` or `running_var_after`.
        level: the level that explains its errors; `wrong`, or `not-judged`.
        verdict: whether that passes, warns or fails; it fails nothing where the array is only compared.
        counts: whether it decides the verdict on the whole: another y does not.
        judged, total: how many of its numbers a bound judges, and how many there are.
        ratio: the largest error over what `tight` allows; None where nothing is judged.
        worst: its worst elements, the worst first.
        channels: those with a number beyond what `tight` allows.
        quantity: the record, as a results file has it.
    """

    role: str
    level: str
    verdict: ItemVerdict
    counts: bool
    judged: int
    total: int
    ratio: float | None
    worst: tuple[WorstElement, ...]
    channels: tuple[int, ...]
    quantity: Quantity


def judge_arrays(goldens: StepGoldens, threshold: Threshold) -> list[JudgedArray]:
    """Judge every recorded array, and the other y beside them."""
    roles = (*goldens.recording.judged, *(["y_other"] if "y_other" in goldens.recording.arrays else []))
    with np.errstate(all="ignore"):  # NaN and infinities are data here
        return [_judged(goldens, role, threshold) for role in roles]


def _judged(goldens: StepGoldens, role: str, threshold: Threshold) -> JudgedArray:
    got = goldens.recording.arrays[role]
    axis = goldens.axis if got.ndim > 1 else 0
    survey = _Survey(ArrayPlace(got.shape, axis))
    found = compare(role, goldens.expected(role), got, axis, watch=survey)
    quantity = found.quantity(())
    return JudgedArray(
        role=role,
        level=found.level,
        verdict=_verdict(found.level, threshold),
        counts=role != "y_other",
        judged=found.judged,
        total=got.size,
        ratio=quantity.ratio,
        worst=_with_range(found, survey.worst),
        channels=tuple(survey.channels),
        quantity=quantity,
    )


def _verdict(level: str, threshold: Threshold) -> ItemVerdict:
    if level == outcomes.NOT_JUDGED:
        return ItemVerdict.NOT_JUDGED
    if not threshold.tolerates(level):
        return ItemVerdict.FAIL
    return ItemVerdict.PASS if Threshold.STABLE.tolerates(level) else ItemVerdict.WARN


class _Survey:
    """Watches the blocks of a comparison: keeps the worst elements, and the channels beyond `tight`."""

    def __init__(self, place: ArrayPlace) -> None:
        self._place = place
        self._heap: list[tuple[float, int, int, WorstElement]] = []
        self.channels: list[int] = []

    def __call__(self, block: Block) -> None:
        ratios = ratios_of(block.errors, block.tight)
        sizes = sortable(ratios, block.mask)
        if not sizes.size:
            return
        self.channels += [block.first_row + int(row) for row in np.flatnonzero(sizes.max(axis=1) > 1)]
        flat = sizes.reshape(-1)
        chosen = np.argpartition(-flat, min(WORST, flat.size) - 1)[:WORST]
        for place in chosen:
            row, column = (int(part) for part in np.unravel_index(int(place), sizes.shape))
            if sizes[row, column] > 0:
                self._push(block, row, column, float(sizes[row, column]))

    def _push(self, block: Block, row: int, column: int, size: float) -> None:
        place = block.first_row + row, block.first + column
        element = WorstElement(
            index=self._place.index(*place),
            expected=float(block.golden[row, column]),
            got=float(block.rows[row, column]),
            error=float(block.errors[row, column]),
            allowed=float(block.tight[row, column]),
            ratio=size,
        )
        entry = size, -place[0], -place[1], element
        (heapq.heappush if len(self._heap) < WORST else heapq.heappushpop)(self._heap, entry)

    @property
    def worst(self) -> tuple[WorstElement, ...]:
        """The worst elements, the worst first."""
        return tuple(entry[3] for entry in sorted(self._heap, reverse=True, key=lambda entry: entry[:3]))


def _with_range(found: Comparison, worst: tuple[WorstElement, ...]) -> tuple[WorstElement, ...]:
    """The worst elements, before them the one that is outside the range of every sound algorithm."""
    out = found.ranges.outside
    if out is None:
        return worst
    index = found.place.index(out.row, out.column)
    return (WorstElement(index, out.expected, out.got, out.error, out.bound, out.ratio), *worst)[:WORST]
