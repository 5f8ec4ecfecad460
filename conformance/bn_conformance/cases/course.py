"""The course of a case: each step with data, and the state of the layer when it begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bn_conformance.cases.model import Batch, Between, Case, Freeze, Reload, Step, has_data
from bn_conformance.cases.steps import has_step, is_frozen_after, type_of


@dataclass(frozen=True)
class Turn:
    """A step with data in the course of its case.

    Attributes:
        step: the step.
        position: its index among the steps with data.
        frozen: whether the layer is frozen when the step begins.
        reloaded: whether the layer was saved and loaded since the step with data before this one.
        on_trajectory: whether its running statistics follow from those of a fresh layer, since no step has set others.
    """

    step: Batch
    position: int
    frozen: bool
    reloaded: bool
    on_trajectory: bool


def course_of(case: Case) -> Iterator[Turn]:
    """Every step with data, in order."""
    position, frozen, reloaded, on_trajectory = 0, False, False, True
    for step in case.steps:
        frozen = is_frozen_after([step], frozen)
        reloaded = reloaded or has_step([step], Reload)
        on_trajectory = on_trajectory and not _sets_statistics([step])
        if has_data(step):
            yield Turn(step, position, frozen, reloaded, on_trajectory)
            position, reloaded = position + 1, False
            frozen = frozen or has_step(step.between, Freeze)  # a layer that reloads its own state stays as it is
            on_trajectory = on_trajectory and not _sets_statistics(step.between)


def _sets_statistics(steps: Iterable[Step | Between]) -> bool:
    return any(type_of(step).statistics(step) is not None for step in steps)
