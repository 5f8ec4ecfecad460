"""Judges the running statistics of one step: whether they move, and to which values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from bn_conformance.cases.recipes import dtype_of, is_floating
from bn_conformance.cases.steps import type_of
from bn_conformance.comparison.array import shape_and_dtype_fault
from bn_conformance.hosting.operations import Returned
from bn_conformance.judging.arrays import fault, judge_statistic
from bn_conformance.judging.clauses import TIMING, TYPE, clause_of_rest, judged_clauses
from bn_conformance.judging.context import JudgingContext, StepContext
from bn_conformance.judging.pairs import NAMES, difference, kept, same_pair
from bn_conformance.judging.timing import judge_timing
from bn_conformance.observing.observation import Pair
from bn_conformance.results.records import Quantity
from bn_reference.definition.state import Statistics
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import GRADES


def judge_statistics(step: StepContext) -> Iterator[Quantity]:
    """Judge the running statistics after a step, from those that were observed before it."""
    case, name, observation = step.case, f"{step.name}.statistics", step.observation
    begun, ended = span_of(step)
    before, after = comparable_pair(step.context, begun), comparable_pair(step.context, ended)
    if before is None or after is None:
        yield unreadable(step, ended if after is None else begun)
        return
    if ended is not observation.after and not same_pair(observation.resumed, observation.after):
        yield fault(name, "running statistics moved in a backward and should not", judged_clauses(case, TIMING))
    if not step.moves:
        if not same_pair(before, after):
            clause = clause_of_rest(step.frozen, step.step.training, empty=0 in step.step.shape)
            message = f"running statistics moved and should not: {difference(before, after)}"
            yield fault(name, message, judged_clauses(case, clause))
        return
    yield from judge_timing(step, comparable_pair(step.context, observation.before) or before)
    if case.finite_statistics:
        if not all(bool(np.all(np.isfinite(np.asarray(part, np.float64)))) for part in after):
            yield fault(name, "running statistics are not finite", judged_clauses(case))
        return
    known = Statistics.known(*before, updates=step.updates)
    expected = step.golden.golden.updated(known)
    if same_pair(before, after) and not _may_stay(expected, known):
        message = "running statistics never move: they are what they were before the training step"
        yield fault(name, message, judged_clauses(case, TIMING))
    for key, got in with_kept(step, before, after, expected).items():
        clauses = judged_clauses(case, step.clause_of(key))
        yield judge_statistic(step.context, f"{step.name}.{key}", expected[key], got, clauses)


def with_kept(step: StepContext, before: Pair, after: Pair, expected: Mapping[str, Expected]) -> dict[str, Returned]:
    """The statistics after the step, by name.

    With momentum 0 a layer may keep its values where the golden is NaN (STAT-7; 0 * NaN is NaN). There the golden
    replaces a kept value, which then counts as right.
    """
    statistics = dict(zip(NAMES, after, strict=True))
    if step.case.config.momentum == 0:
        for (name, got), old in zip(statistics.items(), before, strict=True):
            statistics[name] = kept(got, old, expected[name].values)
    return statistics


def span_of(step: StepContext) -> tuple[Pair | None, Pair | None]:
    """The statistics before and after the move of a step, leaving out statistics that are set within the step."""
    observation = step.observation
    if not any(type_of(change).replaces_statistics for change in step.step.between):
        return observation.before, observation.after
    if step.context.convention.statistics_move == "backward":
        return observation.resumed, observation.after
    return observation.before, observation.after_update or observation.after_forward


def comparable_pair(context: JudgingContext, pair: Pair | None) -> Pair | None:
    """The pair, where both are vectors of floating-point numbers, one a channel; else None."""
    return None if pair is None or any(_faults(context, pair)) else pair


def unreadable(step: StepContext, pair: Pair | None) -> Quantity:
    """The record of running statistics that are no vectors."""
    faults = filter(None, _faults(step.context, pair)) if pair else iter(["there are no running statistics"])
    return fault(f"{step.name}.statistics", next(faults), judged_clauses(step.case, TYPE))


def _faults(context: JudgingContext, pair: Pair) -> Iterator[str]:
    shape, expected = (context.case.config.num_channels,), dtype_of(context.formats.statistics.name)
    for name, part in zip(NAMES, pair, strict=True):
        dtype = part.dtype if isinstance(part, np.ndarray) and is_floating(part.dtype) else expected
        yield shape_and_dtype_fault(name, part, shape, dtype)


def _may_stay(expected: Mapping[str, Expected], before: Statistics) -> bool:
    """Whether leaving the statistics as they are is within the bounds of moving them."""
    for name, old in zip(NAMES, (before.mean, before.variance), strict=True):
        golden = expected[name]
        if bool(np.any(np.abs(golden.values - old) > golden.bound(GRADES[0]).allowed)):
            return False
    return True
