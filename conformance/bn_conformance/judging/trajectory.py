"""Judges running statistics along the golden trajectory, from a fresh layer on, with errors that add up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from bn_conformance.judging.arrays import judge_output, judge_statistic
from bn_conformance.judging.clauses import TRAJECTORY, judged_clauses
from bn_conformance.judging.context import JudgingContext, StepContext
from bn_conformance.judging.statistics import span_of, with_kept
from bn_conformance.results.records import Quantity
from bn_reference.arithmetic.formats import Format
from bn_reference.definition.state import Statistics
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import STABLE


def judge_along(step: StepContext, state: Statistics) -> tuple[Statistics | None, Iterator[Quantity]]:
    """Take a step along the trajectory.

    Args:
        step: the step.
        state: the statistics of the trajectory before it.

    Returns:
        The statistics of the trajectory after the step, and the quantities that are judged against it: each statistic,
        or y where no statistics move. The statistics are None where the trajectory ends: where they overflow, or where
        momentum is 0 and they are not finite. In the second case a layer may keep its old values, so that the next
        steps have no single right result.
    """
    if not step.moves:
        return _unless_lost(step.context, state), _at_rest(step, state)
    after, expected = step.golden.golden.update(state, STABLE)
    return _unless_lost(step.context, after), _moved(step, expected)


def _is_judged(step: StepContext) -> bool:
    """Whether a step is judged along the trajectory. For the first step that would repeat the judgement of the step."""
    return step.step.judge and step.position > 0


def _at_rest(step: StepContext, state: Statistics) -> Iterator[Quantity]:
    if _is_judged(step) and not step.training and "y" in step.case.judges:
        place, clauses = f"trajectory{step.position}", judged_clauses(step.case, TRAJECTORY)
        expected, got = step.golden.golden.inference(state, None)["y"], step.observation.forward.y
        yield judge_output(step, place, "y", expected, got, clauses)


def _moved(step: StepContext, expected: Mapping[str, Expected]) -> Iterator[Quantity]:
    after = span_of(step)[1]
    if not _is_judged(step) or after is None or "running_mean" not in step.case.judges or step.case.finite_statistics:
        return
    clauses = judged_clauses(step.case, TRAJECTORY)
    for key, got in with_kept(step, step.observation.before, after, expected).items():
        yield judge_statistic(step.context, f"trajectory{step.position}.{key}", expected[key], got, clauses)


def _unless_lost(context: JudgingContext, state: Statistics) -> Statistics | None:
    return None if _is_lost(context, state) else state


def _is_lost(context: JudgingContext, state: Statistics) -> bool:
    if _overflows(state, context.formats.statistics):
        return True
    return context.case.config.momentum == 0 and not np.isfinite(state.mean + state.variance).all()


def _overflows(statistics: Statistics, format_: Format) -> bool:
    """Whether a finite statistic, give or take its error, is beyond the largest number of its format."""
    pairs = ((statistics.mean, statistics.mean_error), (statistics.variance, statistics.variance_error))
    return any(
        bool(np.any(np.isfinite(values) & (np.abs(values) + errors > format_.largest))) for values, errors in pairs
    )
