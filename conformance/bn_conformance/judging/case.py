"""Judges a case: its observation against its goldens, under the convention of the implementation."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.course import Turn, course_of
from bn_conformance.hosting.operations import Returned
from bn_conformance.judging.arrays import fault
from bn_conformance.judging.clauses import RELOADED, SET
from bn_conformance.judging.context import JudgingContext, StepContext
from bn_conformance.judging.fresh_layer import judge_initial
from bn_conformance.judging.outputs import judge_outputs
from bn_conformance.judging.pairs import difference, same_pair
from bn_conformance.judging.purity import judge_purity, judge_purity_at_the_end
from bn_conformance.judging.replicas import judge_replicas
from bn_conformance.judging.statistics import judge_statistics
from bn_conformance.judging.trajectory import judge_along
from bn_conformance.laws.verdicts import judge_laws
from bn_conformance.observing.observation import Observation, StepObservation, same_returned
from bn_conformance.results import outcomes
from bn_conformance.results.records import Quantity
from bn_reference.definition.state import Statistics


def quantities_of(
    context: JudgingContext, observation: Observation, repeat: Observation | None
) -> tuple[Quantity, ...]:
    """Every quantity of an observation.

    Args:
        context: what to judge with.
        observation: what the case gave.
        repeat: what it gave a second time, on a fresh layer; both must agree bit for bit. None for one run.
    """
    return tuple(each_quantity(context, observation, repeat))


def each_quantity(context: JudgingContext, observation: Observation, repeat: Observation | None) -> Iterator[Quantity]:
    """As `quantities_of`, one by one as they are judged."""
    yield from judge_initial(context, observation)
    if not observation.kept:
        yield fault("set.statistics", "running statistics are not what they were set to", (SET,))
    yield from _steps(context, observation)
    yield from judge_purity_at_the_end(observation)
    yield from judge_laws(context.case, context.convention, observation.laws)
    if repeat is not None:
        yield _same_bits(observation, repeat, context.case.clauses)


def _steps(context: JudgingContext, observation: Observation) -> Iterator[Quantity]:
    """The quantities of every step: each by itself, and along the golden trajectory where there are several."""
    state: Statistics | None = Statistics.initial(context.case.config.num_channels, context.convention)
    for turn, step in step_contexts(context, observation):
        if turn.reloaded and turn.position:
            yield from _reloaded(observation, turn.position)
        yield from judge_step(step)
        state = state if turn.on_trajectory else None
        if state is not None and len(observation.steps) > 1:
            state, judged = judge_along(step, state)
            yield from judged


def step_contexts(context: JudgingContext, observation: Observation) -> Iterator[tuple[Turn, StepContext]]:
    """What each step with data is judged with, in order, up to the one that refused."""
    updates = 0
    for turn in course_of(context.case):
        if turn.position == len(observation.steps):
            return
        given = observation.steps[turn.position]
        step = StepContext(context, turn.step, turn.position, given, turn.frozen, updates)
        yield turn, step
        updates += step.moves


def judge_step(step: StepContext) -> Iterator[Quantity]:
    """The quantities of one step by itself: outputs, gradients, statistics and purity.

    The step is judged from the running statistics that were observed before it (teacher forcing).
    """
    if step.step.judge:
        yield from judge_outputs(step)
    if "running_mean" in step.case.judges:
        yield from judge_statistics(step)
        yield from judge_replicas(step)
    yield from judge_purity(step)


def _reloaded(observation: Observation, position: int) -> Iterator[Quantity]:
    """The statistics after save and load are those before."""
    before, after = observation.steps[position - 1].after, observation.steps[position].before
    if not same_pair(before, after):
        message = f"running statistics changed in save and load: {difference(before, after)}"
        yield fault(f"step{position}.reloaded", message, (RELOADED,))


def _same_bits(observation: Observation, repeat: Observation, clauses: tuple[str, ...]) -> Quantity:
    """Two runs on fresh layers give the same bits."""
    for index, (step, repeated) in enumerate(zip(observation.steps, repeat.steps, strict=False)):
        arrays = _arrays_of(repeated)
        for name, array in _arrays_of(step).items():
            if not same_returned(array, arrays[name]):
                return fault("repeat", f"step{index}.{name} differs between two equal runs", clauses)
        if not same_pair(step.after, repeated.after):
            return fault("repeat", f"the running statistics of step{index} differ between two equal runs", clauses)
    return Quantity(name="repeat", outcome=outcomes.EXACT, clauses=clauses)


def _arrays_of(step: StepObservation) -> dict[str, Returned | None]:
    """Every array that a step gave."""
    backward = step.backward
    return {
        "y": step.forward.y,
        "dx": None if backward is None else backward.dx,
        "dgamma": None if backward is None else backward.dgamma,
        "dbeta": None if backward is None else backward.dbeta,
        **(vars(step.second) if step.second is not None else {}),
    }
