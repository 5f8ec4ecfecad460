"""Verdict: the observation of a case against its goldens under the implementation's convention."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bn_conformance.cases.model import Batch, Freeze, Reload, SetStatistics
from bn_conformance.cases.recipes import dtype_of
from bn_conformance.hosting.operations import Returned
from bn_conformance.judging.clauses import clauses_of
from bn_conformance.judging.context import JudgingContext
from bn_conformance.judging.pairs import difference, same_pair
from bn_conformance.judging.step import StepJudge, fault, judged_vector
from bn_conformance.laws.verdicts import judge_laws
from bn_conformance.observing.observation import Observation, StepObservation, same_returned
from bn_conformance.results import outcomes
from bn_conformance.results.records import Quantity
from bn_reference.arithmetic.formats import Format
from bn_reference.arithmetic.quad import Quad, to_quad
from bn_reference.bounds.bound import Bound
from bn_reference.definition.state import Statistics
from bn_reference.golden.expected import Expected

__all__ = ["JudgingContext", "each_quantity", "quantities_of"]


def quantities_of(context: JudgingContext, seen: Observation, again: Observation | None) -> tuple[Quantity, ...]:
    """Every quantity of an observation that came to its end.

    Args:
        context: what to judge against.
        seen: the observation.
        again: a second one on a fresh layer, which must agree bit for bit.
    """
    return tuple(each_quantity(context, seen, again))


def each_quantity(context: JudgingContext, seen: Observation, again: Observation | None) -> Iterator[Quantity]:
    """As `quantities_of`, one by one as they are judged."""
    yield from _initial(context, seen)
    if not seen.kept:
        yield fault("set.statistics", "running statistics are not what they were set to", ("DTYPE-4",))
    yield from _steps(context, seen)
    yield from _purity_of_all(seen)
    yield from judge_laws(context.case, context.convention, seen.laws)
    if again is not None:
        yield _same_bits(seen, again, context.case.clauses)


def _initial(context: JudgingContext, seen: Observation) -> Iterator[Quantity]:
    """Initial statistics, where the case judges statistics."""
    case = context.case
    if "running_var" not in case.judges or seen.initial is None:
        return
    initial = Statistics.initial(case.config.num_channels, context.convention)
    for name, values, got in (
        ("initial.running_mean", initial.mean, seen.initial[0]),
        ("initial.running_var", initial.variance, seen.initial[1]),
    ):
        exactly = Expected(values, lambda grade: _nothing_allowed(initial))
        got = _in_format(got, context.formats.statistics.name)  # a fresh layer's 0 and 1 are exact in any format
        clauses = clauses_of(case, "STAT-3")
        if _is(got, values):
            yield _exactly(name, float(values[0]), len(values), clauses)
        else:
            yield judged_vector(context, name, exactly, got, clauses)


def _exactly(name: str, value: float, channels: int, clauses: tuple[str, ...]) -> Quantity:
    """The record of a vector that is what it should be, bit for bit."""
    return Quantity(
        name=name,
        outcome=outcomes.EXACT,
        clauses=clauses,
        error=0.0,
        bound=0.0,
        ratio=0.0,
        ulp=0.0,
        index=(0,),
        expected=value,
        got=value,
        judged=channels,
        total=channels,
    )


def _is(got: Returned, values: Quad) -> bool:
    """Whether a vector holds just these values; the usual case, which needs no judge."""
    return isinstance(got, np.ndarray) and got.shape == values.shape != (0,) and bool(np.all(to_quad(got) == values))


def _in_format(got: Returned, dtype: str) -> Returned:
    return got.astype(dtype_of(dtype)) if isinstance(got, np.ndarray) else got


def _nothing_allowed(statistics: Statistics) -> Bound:
    return Bound(statistics.mean_error, np.ones(statistics.mean.shape, np.bool_))


def _steps(context: JudgingContext, seen: Observation) -> Iterator[Quantity]:
    """The quantities of every step, local and along the trajectory."""
    case = context.case
    trajectory: Statistics | None = Statistics.initial(case.config.num_channels, context.convention)
    updates, frozen, position = 0, False, 0
    for step in case.steps:
        if isinstance(step, Freeze):
            frozen = True
        elif isinstance(step, SetStatistics):
            trajectory = None
        elif isinstance(step, Reload):
            frozen = False  # being frozen is no part of a state, and the layer that loads it is a new one
            yield from _reloaded(context, seen, position)
        elif isinstance(step, Batch):
            if position == len(seen.steps):  # it refused here
                return
            walker = StepJudge(context, step, position, seen.steps[position], frozen, updates)
            yield from walker.quantities()
            if trajectory is not None and len(seen.steps) > 1:  # one step alone has no trajectory
                trajectory, judged = walker.along(trajectory)
                yield from judged
                if _overflows(trajectory, context.formats.statistics) or (
                    case.config.momentum == 0 and not np.isfinite(trajectory.mean + trajectory.variance).all()
                ):
                    trajectory = None  # what a layer that kept what it had there gives next is judged from that
            updates += walker.moves
            frozen = frozen or any(isinstance(change, Freeze) for change in step.between)
            if any(isinstance(change, SetStatistics) for change in step.between):
                trajectory = None
            position += 1


def _overflows(statistics: Statistics, format_: Format) -> bool:
    """Whether a finite statistic, give or take its error, is beyond the largest number of its format."""
    pairs = ((statistics.mean, statistics.mean_error), (statistics.variance, statistics.variance_error))
    return any(
        bool(np.any(np.isfinite(values) & (np.abs(values) + errors > format_.largest))) for values, errors in pairs
    )


def _purity_of_all(seen: Observation) -> Iterator[Quantity]:
    """What shows only when every step is over."""
    if seen.changed:
        changed = ", ".join(seen.changed[:3]) + (f" and {len(seen.changed) - 3} more" if len(seen.changed) > 3 else "")
        yield fault("changed-later", f"changed in memory after the call was over: {changed}", ("PURE-4",))
    if seen.disturbed:
        message = f"differs when another layer runs at the same time: {', '.join(seen.disturbed)}"
        yield fault("concurrent", message, ("PURE-6",))


def _reloaded(context: JudgingContext, seen: Observation, position: int) -> Iterator[Quantity]:
    """The statistics after save and load are those before."""
    if not 0 < position < len(seen.steps):
        return
    before, after = seen.steps[position - 1].after, seen.steps[position].before
    if not same_pair(before, after):
        message = f"running statistics changed in save and load: {difference(before, after)}"
        yield fault(f"step{position}.reloaded", message, ("STATE-2",))


def _same_bits(seen: Observation, again: Observation, clauses: tuple[str, ...]) -> Quantity:
    """Two runs on fresh layers give the same bits."""
    for index, (one, other) in enumerate(zip(seen.steps, again.steps, strict=False)):
        theirs = _results(other)
        for name, first in _results(one).items():
            if not same_returned(first, theirs[name]):
                return fault("repeat", f"step{index}.{name} differs between two equal runs", clauses)
        if not same_pair(one.after, other.after):
            return fault("repeat", f"the running statistics of step{index} differ between two equal runs", clauses)
    return Quantity(name="repeat", outcome=outcomes.EXACT, clauses=clauses)


def _results(step: StepObservation) -> dict[str, Returned | None]:
    """Every array that a step gave."""
    forward, backward = step.forward, step.backward
    return {
        "y": None if forward is None else forward.y,
        "dx": None if backward is None else backward.dx,
        "dgamma": None if backward is None else backward.dgamma,
        "dbeta": None if backward is None else backward.dbeta,
        **(vars(step.second) if step.second is not None else {}),
    }
