"""What of a failing item a script shows: the earliest step with something wrong, and there the clearest number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bn_conformance.adapter import Array, Convention
from bn_conformance.cases.model import Case, has_data
from bn_conformance.judging.case import step_contexts
from bn_conformance.judging.context import JudgingContext, StepContext
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.outputs import expected_outputs, given_outputs
from bn_conformance.judging.pairs import NAMES
from bn_conformance.judging.statistics import span_of
from bn_conformance.observing.observation import Observation
from bn_conformance.repro.literals import NoRepro
from bn_conformance.repro.numbers import Shows, shown_numbers
from bn_conformance.results import outcomes
from bn_conformance.results.outcomes import is_level, level_rank
from bn_conformance.results.records import Item, Quantity
from bn_reference.arithmetic.quad import to_float64
from bn_reference.definition.state import Statistics
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import STABLE

GRADIENT_NAMES, SECOND_NAMES = ("dx", "dgamma", "dbeta"), ("ds_dx", "ds_dgamma", "ds_ddy")

SOUND = 2
"""Rank of the level `stable`, the worst that a sound algorithm has."""


@dataclass(frozen=True, kw_only=True)
class Symptom:
    """Something wrong in one step.

    Attributes:
        kind: what is wrong: `numbers`; the `type` of an array; statistics that `moved` or are not `finite`; a layer
            that `raised`; or one that `accepted` what it must refuse.
        step: the index of the step among all of the case.
        frozen: whether the layer is frozen in it.
        name: of the quantity, such as `dx`; `statistics` for both running statistics; empty for none.
        backward: whether the step must take gradients to show it.
        raised_by: the operation that raised; empty where none did.
        message: what the judge said; empty where numbers say it.
        clauses: that it breaks.
        before: running mean and variance before the step; None where no layer was asked.
        updates: how often they had moved.
        shows: the numbers; None for another kind.
        shape, dtype: of the quantity as they must be.
    """

    kind: Literal["numbers", "type", "moved", "finite", "raised", "accepted"]
    step: int
    frozen: bool = False
    name: str = ""
    backward: bool = False
    raised_by: str = ""
    message: str = ""
    clauses: tuple[str, ...] = ()
    before: tuple[Array, Array] | None = None
    updates: int = 0
    shows: Shows | None = None
    shape: tuple[int, ...] = ()
    dtype: str = ""

    @property
    def second(self) -> bool:
        """Whether the step must take gradients of the second order to show it."""
        return self.name in SECOND_NAMES or "double" in self.raised_by


def symptom_of(item: Item, case: Case, observation: Observation, convention: Convention, goldens: Goldens) -> Symptom:
    """What a script shows of an item.

    Args:
        item: what the judge made of the observation.
        case: as it was run.
        observation: what the case gave.
        convention: that is declared.
        goldens: of the case.

    Raises:
        NoRepro: nothing is wrong, or nothing that one step of a layer shows.
    """
    if item.outcome == outcomes.ERRORED and observation.error is not None:
        if observation.error_step < 0:
            raise NoRepro(f"{item.id} raises while the layer is built: {observation.error.message}; no data is needed")
        raised_by, message = observation.error_operation, observation.error.message
        step, backward = observation.error_step, "backward" in raised_by
        return Symptom(kind="raised", step=step, backward=backward, raised_by=raised_by, message=message)
    if case.expects == "refusal" and item.outcome == outcomes.WRONG and not item.quantities:
        last = max(index for index, step in enumerate(case.steps) if has_data(step))
        backward = case.batches[-1].dy_shape is not None
        return Symptom(kind="accepted", step=last, backward=backward, message=item.message, clauses=case.clauses)
    bad = [part for part in item.quantities if part.outcome == item.outcome and _is_bad(part)]
    if not bad:
        raise NoRepro(f"{item.id} is {item.outcome}: there is nothing to show")
    candidates = [part for part in bad if _is_of_a_step(part) and _kind(part)]
    if not candidates:
        names = ", ".join(quantity.name for quantity in bad[:3])
        raise NoRepro(f"{item.id} fails in {names}, which no single step shows; name another case")
    context = JudgingContext(case, goldens.data(case), goldens.steps(case, convention), convention)
    chosen = min(candidates, key=_order)
    return _symptom(chosen, [step for _, step in step_contexts(context, observation)])


def _is_bad(quantity: Quantity) -> bool:
    return is_level(quantity.outcome) and level_rank(quantity.outcome) > SOUND


def _is_of_a_step(quantity: Quantity) -> bool:
    """Whether it is what a step gives, and not the statistics of one replica."""
    place, _, name = quantity.name.partition(".")
    return place.startswith(("step", "trajectory")) and "." not in name


def _order(quantity: Quantity) -> tuple[bool, int, bool, float]:
    """A step by itself first, then the earliest step, then numbers before messages, then the most wrong."""
    wrongness = quantity.excess if quantity.excess is not None else quantity.ratio or 0.0
    return quantity.name.startswith("trajectory"), _position(quantity), bool(quantity.message), -wrongness


def _position(quantity: Quantity) -> int:
    """The index of its step among those with data."""
    return int(quantity.name.partition(".")[0].removeprefix("step").removeprefix("trajectory"))


def _kind(quantity: Quantity) -> Literal["numbers", "type", "moved", "finite"] | None:
    """The kind of a quantity; None where no script shows it."""
    if quantity.index is not None:
        return "numbers"
    if quantity.message.startswith(f"{quantity.name} "):
        return "type"
    if "moved and should not" in quantity.message or "moved in a backward" in quantity.message:
        return "moved"
    return "finite" if "not finite" in quantity.message else None


def _symptom(quantity: Quantity, steps: list[StepContext]) -> Symptom:
    kind, name, step = _kind(quantity), quantity.name.partition(".")[2], steps[_position(quantity)]
    state = _trajectory(steps[: step.position]) if quantity.name.startswith("trajectory") else None
    assert kind is not None
    places = [index for index, part in enumerate(step.case.steps) if has_data(part)]
    begun = span_of(step)[0] if state is None else (to_float64(state.mean), to_float64(state.variance))
    before = tuple(part for part in begun or () if isinstance(part, np.ndarray))
    shows, dtype = None, step.case.config.parameter_dtype
    shape: tuple[int, ...] = (step.case.config.num_channels,)
    if name in ("y", "dx", "ds_dx", "ds_ddy"):
        shape, dtype = step.step.shape, step.case.config.dtype
    elif name in NAMES:
        dtype = step.context.formats.statistics.name
    if kind == "numbers":
        expected, got = _pair(name, step, state)
        axis = step.case.config.channel_axis if name in ("y", "dx", "ds_dx", "ds_ddy") else 0
        shows = shown_numbers(step.case, quantity, expected, got, axis)
        if not shows.numbers:
            raise NoRepro(f"{quantity.name} is wrong as a whole, but no single number of it is; name another case")
    return Symptom(
        kind=kind,
        step=places[step.position],
        frozen=step.frozen,
        name=name,
        backward=name in (*GRADIENT_NAMES, *SECOND_NAMES) or "backward" in quantity.message,
        message=quantity.message,
        clauses=quantity.clauses,
        before=(before[0], before[1]) if len(before) == 2 else None,
        updates=step.updates,
        shows=shows,
        shape=shape,
        dtype=dtype,
    )


def _trajectory(steps: list[StepContext]) -> Statistics:
    """The statistics of the golden trajectory after these steps, from a fresh layer on."""
    context = steps[0].context
    state = Statistics.initial(context.case.config.num_channels, context.convention)
    for step in steps:
        if step.moves:
            state, _ = step.golden.golden.update(state, STABLE)
    return state


def _pair(name: str, step: StepContext, state: Statistics | None) -> tuple[Expected, Array]:
    """The golden of a quantity and the array that came; from a state of the trajectory where there is one."""
    if name in NAMES:
        begun, ended = span_of(step)
        assert begun is not None
        assert ended is not None
        if state is None:
            expected = step.golden.golden.updated(Statistics.known(*begun, updates=step.updates))[name]
        else:
            expected = step.golden.golden.update(state, STABLE)[1][name]
        got = ended[NAMES.index(name)]
    elif state is not None:
        expected, got = step.golden.golden.inference(state, None)[name], given_outputs(step)[name]
    else:
        outputs = expected_outputs(step)
        assert outputs is not None
        expected, got = outputs[name], given_outputs(step)[name]
    assert isinstance(got, np.ndarray)
    return expected, got
