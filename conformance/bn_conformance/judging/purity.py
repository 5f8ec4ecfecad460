"""Judges side effects: inputs that a step changes, memory that it shares, other layers that it moves."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.judging.arrays import fault
from bn_conformance.judging.clauses import IN_THREADS, INPUT_KEPT, KEPT_LATER, OTHER_LAYER
from bn_conformance.judging.context import StepContext
from bn_conformance.judging.pairs import same_pair
from bn_conformance.observing.observation import Observation
from bn_conformance.results.records import Quantity
from bn_conformance.text import one_line

SHOWN = 3
"""Changed arrays that are named one by one."""


def judge_purity(step: StepContext) -> Iterator[Quantity]:
    """A fault for each side effect of a step."""
    observation = step.observation
    forward, backward, second = observation.forward, observation.backward, observation.second
    if forward.input_modified:
        yield fault(f"{step.name}.x", "forward modified its input", (INPUT_KEPT,))
    if backward is not None and backward.input_modified:
        yield fault(f"{step.name}.dy", "backward modified its input", (INPUT_KEPT,))
    if second is not None and second.input_modified:
        yield fault(f"{step.name}.second", "double_backward modified its input", (INPUT_KEPT,))
    alone = observation.after_update or observation.after_forward
    if not same_pair(alone, observation.after_interrupt):
        message = "running statistics moved when another layer trained"
        yield fault(f"{step.name}.statistics", message, (OTHER_LAYER,))
    if forward.shares_input and step.training:
        yield fault(f"{step.name}.y", "y shares memory with x", (INPUT_KEPT,))


def judge_purity_at_the_end(observation: Observation) -> Iterator[Quantity]:
    """A fault for each side effect that shows only when every step is over."""
    changed, disturbed = observation.changed, observation.disturbed
    if changed:
        more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
        message = f"changed in memory after the call was over: {', '.join(map(one_line, changed[:SHOWN]))}{more}"
        yield fault("changed-later", message, (KEPT_LATER,))
    if disturbed:
        message = f"differs when another layer runs at the same time: {', '.join(disturbed)}"
        yield fault("concurrent", message, (IN_THREADS,))
