"""What a case gave, as plain data: results and statistics step by step, and the error that ended it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bn_conformance.hosting.host import LayerError
from bn_conformance.hosting.operations import BackwardResult, ForwardResult, Returned, SecondResult
from bn_conformance.laws.trials import Ran, Setup

Pair = tuple[Returned, Returned]


@dataclass
class StepObservation:
    """What one step with data gave. Statistics are pairs (mean, variance)."""

    before: Pair | None = None
    forward: ForwardResult | None = None
    after_forward: Pair | None = None
    after_update: Pair | None = None
    after_interrupt: Pair | None = None
    resumed: Pair | None = None
    """After what happens between the forward and the backward, where anything does."""
    backward: BackwardResult | None = None
    second: SecondResult | None = None
    after: Pair | None = None

    def take(self, *names: str) -> Callable[[Any], None]:
        """What puts a result in these places."""

        def taken(result: Any) -> None:
            for name in names:
                setattr(self, name, result)

        return taken


@dataclass
class Observation:
    """What a case gave: its steps with data up to the first error, and that error."""

    steps: list[StepObservation] = field(default_factory=list)
    initial: Pair | None = None
    kept: bool = True
    """Whether running statistics that were set were read back, number by number."""
    changed: list[str] = field(default_factory=list)
    """Arrays that went in or came out and hold other bytes at the end, as `y of forward 1`."""
    disturbed: list[str] = field(default_factory=list)
    """Results that two layers give at the same time and not alone, as `dx of layer 0`."""
    laws: dict[str, tuple[Ran, ...]] = field(default_factory=dict)
    """The runs of each law."""
    error: LayerError | None = None
    error_step: int = -1
    """Index (among all steps) of the step that raised; -1 for building the layer."""

    def begin(self, pair: Pair) -> None:
        """Take the statistics of the fresh layer."""
        self.initial = pair


def same_returned(one: Returned | None, other: Returned | None) -> bool:
    """Whether two results are the same bits of the same format and shape."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return one == other if not isinstance(one, np.ndarray) and not isinstance(other, np.ndarray) else False


def same(one: Any, other: Any) -> bool:
    """Whether two observations (or parts of them) hold the same bits and faults, so that they are judged alike."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return same_returned(one, other)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(part, other[name]) for name, part in one.items())
    if isinstance(one, _IN_PARTS):
        return all(map(same, vars(one).values(), vars(other).values()))
    if isinstance(one, LayerError):
        return str(one) == str(other)
    return isinstance(one, Setup) or bool(one == other)  # what a run of a law is given follows from the case


_IN_PARTS = (StepObservation, ForwardResult, BackwardResult, SecondResult, Ran, Observation)
