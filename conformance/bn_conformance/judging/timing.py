"""Judges when running statistics move: only at the moment that the convention names."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import EarlierBackward
from bn_conformance.cases.steps import has_step, type_of
from bn_conformance.judging.arrays import fault
from bn_conformance.judging.clauses import TIMING, judged_clauses
from bn_conformance.judging.context import StepContext
from bn_conformance.judging.pairs import same_pair
from bn_conformance.observing.observation import Pair
from bn_conformance.results.records import Quantity

MOMENTS = {
    "forward": "after_forward",
    "explicit": "after_update",
    "interrupt": "after_interrupt",
    "between": "resumed",
    "backward": "after",
}
"""The moments of a step, in order. Each has the field of the observation that holds the statistics after it."""


def judge_timing(step: StepContext, before: Pair) -> Iterator[Quantity]:
    """A fault for each moment in which statistics move and should not.

    Args:
        step: the step.
        before: the statistics when the step begins.
    """
    move = step.context.convention.statistics_move
    allowed, last = {move, *_excused(step, move)}, before
    for moment, field in MOMENTS.items():
        pair: Pair | None = getattr(step.observation, field)
        if pair is None:
            continue
        if moment not in allowed and not same_pair(last, pair):
            message = f"running statistics moved in {moment}; the convention says {move}"
            yield fault(f"{step.name}.timing", message, judged_clauses(step.case, TIMING))
        last = pair


def _excused(step: StepContext, move: str) -> frozenset[str]:
    """Moments in which statistics may change although the convention names another moment."""
    between = step.step.between
    changed = any(type_of(change).replaces_statistics for change in between)
    changed = changed or (move == "backward" and has_step(between, EarlierBackward))
    return frozenset({"interrupt", "between"} if changed else {"interrupt"})
