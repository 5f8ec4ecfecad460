"""One operation of a schedule as plain values, and what stands in its arguments for a result that is not there yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bn_conformance.cases.recipes import DataRecipe


@dataclass(frozen=True)
class InFormatOfStatistics:
    """A vector in the format of the running statistics that were read last, which is the layer's own choice."""

    recipe: DataRecipe
    channels: int


@dataclass(frozen=True)
class SavedState:
    """The state that was saved last; with `spoil`, what `Reload.spoil` says was made of it."""

    spoil: str | None = None


@dataclass(frozen=True)
class Operation:
    """One operation of a host.

    Attributes:
        name: the operation, as `Host` calls it.
        layer: the layer's number in the schedule.
        step: index in `Case.steps` of the step that it belongs to; -1 for those before the first step.
        arguments: its arguments beside the layer: values, or what stands for a value that an earlier operation gives.
        waits: whether it is sent only when everything before it has been answered.
        position: index among the steps with data of the observation that takes the result; None for that of the case.
        into: fields of that observation that take the result; none for a result that says nothing.
        whose: said behind the names of the arrays that a `drop` finds changed.
    """

    name: str
    layer: int
    step: int
    arguments: Mapping[str, Any]
    waits: bool = False
    position: int | None = None
    into: tuple[str, ...] = ()
    whose: str = ""
