"""The observation of a case, as plain data: results and statistics of each step, and the error that ended it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bn_conformance.hosting.host import LayerError
from bn_conformance.hosting.operations import (
    BackwardFromResult,
    BackwardResult,
    ForwardResult,
    Returned,
    SavedResult,
    SecondResult,
)
from bn_conformance.hosting.wire import NotAnArray
from bn_conformance.laws.trials import Setup, Trial

Pair = tuple[Returned, Returned]
"""Running mean and running variance, as they were read."""

NO_STATISTICS: Pair = (NotAnArray("None"), NotAnArray("None"))
"""What stands for running statistics that were never read."""


@dataclass(frozen=True, kw_only=True)
class StepObservation:
    """The results of a step with data, up to the first error.

    Attributes:
        before: running statistics before the step.
        forward: what the forward gave.
        after_forward: running statistics after the forward.
        after_update: after the explicit update; None where the convention has none.
        after_interrupt: after another layer trained; None where none did.
        resumed: after what happens between the forward and the backward; None where nothing does.
        backward: what the backward gave; None for a step without one.
        second: what the double backward gave; None for a step without one.
        saved: what the forward keeps for its backward; None where it was not read.
        given: what the backward from exact statistics gave; None for a step without one.
        after: running statistics when the step is over.
        replicas: those of each replica then; None for a step without shards.
    """

    before: Pair
    forward: ForwardResult
    after_forward: Pair | None = None
    after_update: Pair | None = None
    after_interrupt: Pair | None = None
    resumed: Pair | None = None
    backward: BackwardResult | None = None
    second: SecondResult | None = None
    saved: SavedResult | None = None
    given: BackwardFromResult | None = None
    after: Pair | None = None
    replicas: Sequence[Pair] | None = None


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What a case gave.

    Attributes:
        steps: its steps with data, up to the first error.
        initial: running statistics of the fresh layer; None where they were not read.
        kept: whether running statistics that were set were read back, number by number.
        changed: arrays that went in or came out and hold other bytes at the end, as `y of forward 1`.
        disturbed: results that two layers give at the same time and not alone, as `dx of layer 0`.
        laws: the trials of each law.
        original: what the layer gave that this one was compiled or exported from; None where a case does not ask.
        error: what the implementation raised; None where it raised nothing.
        error_step: index (among all steps) of the step that raised; -1 for building the layer, and for no error.
        error_operation: the operation that raised; empty for one of threads or laws, and for no error.
    """

    steps: tuple[StepObservation, ...] = ()
    initial: Pair | None = None
    kept: bool = True
    changed: tuple[str, ...] = ()
    disturbed: tuple[str, ...] = ()
    laws: Mapping[str, tuple[Trial, ...]] = field(default_factory=dict)
    original: Observation | None = None
    error: LayerError | None = None
    error_step: int = -1
    error_operation: str = ""


def same_returned(first: Returned | None, second: Returned | None) -> bool:
    """Whether two results are the same bits of the same format and shape."""
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return first.dtype == second.dtype and first.shape == second.shape and first.tobytes() == second.tobytes()
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return False
    return first == second


def same(first: Any, second: Any) -> bool:
    """Whether two observations (or parts of them) hold the same bits and faults, so that they are judged alike."""
    if first is second:
        return True
    if type(first) is not type(second):
        return False
    if isinstance(first, np.ndarray):
        return same_returned(first, second)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(part, second[name]) for name, part in first.items())
    if isinstance(first, _IN_PARTS):
        return all(map(same, vars(first).values(), vars(second).values()))
    if isinstance(first, LayerError):
        return str(first) == str(second)
    return isinstance(first, Setup) or bool(first == second)  # the setup of a trial follows from the case


_IN_PARTS = (
    StepObservation,
    ForwardResult,
    BackwardResult,
    SecondResult,
    SavedResult,
    BackwardFromResult,
    Trial,
    Observation,
)
