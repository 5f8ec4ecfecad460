"""An implementation that gives what a file says, so that the suite's own observer and judge do the judging."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bn_conformance.adapter import (
    Adapter,
    Array,
    Convention,
    Gradients,
    Layer,
    LayerConfig,
    RunningStatistics,
)
from bn_conformance.cases.model import Case
from bn_conformance.cases.recipes import dtype_of
from bn_conformance.vectors.submissions import Record
from bn_reference.arithmetic.quad import round_to, to_quad
from bn_reference.definition.state import Formats, Statistics

Given = Mapping[tuple[int, str], Record]
"""Records of one case under one convention, by step and quantity."""


class Refused(Exception):
    """What a layer is recorded to have raised."""


class ReplayAdapter(Adapter):
    """Layers that replay the records of one case, once.

    Numbers are rounded once to the format of their quantity, as if stored there. What was not recorded comes as None,
    and the judge's words about that are dropped later (`check.py`). Running statistics that a step does not owe are
    taken to be where they were.

    Args:
        case: the case.
        convention: under which it is judged.
        given: its records.
        owed: for each step with data what it owes.
    """

    name = "replay"
    convention = Convention()

    def __init__(self, case: Case, convention: Convention, given: Given, owed: tuple[tuple[str, ...], ...]) -> None:
        super().__init__()
        self.case, self.under, self.given, self.owed = case, convention, given, owed
        formats = Formats.of(case.config, convention)
        self.kept = dtype_of(formats.statistics.name)
        initial = Statistics.initial(case.config.num_channels, convention)
        self.statistics: tuple[Any, Any] = round_to(initial.mean, self.kept), round_to(initial.variance, self.kept)
        self.step = -1

    def build(self, config: LayerConfig) -> Layer:
        """A layer; those of one case share their state, so that a reloaded one goes on where the other was."""
        return ReplayLayer(self)

    def numbers(self, quantity: str) -> Any:
        """The recorded numbers of the present step, or None."""
        record = self.given.get((self.step, quantity))
        if record is None:
            return None
        config = self.case.config
        if quantity in ("running_mean", "running_var"):
            dtype = self.kept
        else:
            dtype = dtype_of(config.dtype if quantity in ("y", "dx") else config.parameter_dtype)
        shape = record.shape if record.shape is not None else shape_of(self.case, self.step, record)
        with np.errstate(all="ignore"):
            return round_to(to_quad(np.array(record.values, np.float64)), dtype).reshape(shape)

    def move(self) -> None:
        """The running statistics after the present step: the recorded, or where none are owed those before it."""
        owed = self.owed[self.step] if self.step < len(self.owed) else ()
        found = [self.numbers(name) for name in ("running_mean", "running_var")]
        if "running_var" in owed or any(part is not None for part in found):
            self.statistics = found[0], found[1]


def shape_of(case: Case, step: int, record: Record) -> tuple[int, ...]:
    """The shape that a record's numbers should have; flat where the case is to be refused, so that there is none."""
    if case.expects == "refusal":
        return (len(record.values),)
    return (case.config.num_channels,) if record.vector else case.batches[step].shape


class ReplayLayer(Layer):
    """The layer: every forward is the next step."""

    def __init__(self, adapter: ReplayAdapter) -> None:
        self.adapter = adapter
        self.moment = "forward"

    def forward(self, x: Array, training: bool) -> Array:
        """The recorded y of the next step."""
        adapter = self.adapter
        adapter.step += 1
        refused = adapter.given.get((adapter.step, ""))
        if refused is not None:
            raise Refused(refused.refused)
        has_backward = adapter.case.batches[adapter.step].dy is not None
        move = adapter.under.statistics_move
        self.moment = move if training and (move == "explicit" or has_backward) else "forward"
        self._move("forward")
        y: Array = adapter.numbers("y")
        return y

    def backward(self, dy: Array) -> Gradients:
        """The recorded gradients of the present step."""
        self._move("backward")
        dx, dgamma, dbeta = (self.adapter.numbers(name) for name in ("dx", "dgamma", "dbeta"))
        return Gradients(dx, dgamma, dbeta)

    def update_statistics(self) -> None:
        """The moment at which statistics move under the convention `explicit`."""
        self._move("explicit")

    def _move(self, moment: str) -> None:
        if moment == self.moment:
            self.adapter.move()

    def running_statistics(self) -> RunningStatistics:
        """The running statistics as they were recorded last."""
        copies: list[Any] = [part if part is None else part.copy() for part in self.adapter.statistics]
        return RunningStatistics(*copies)

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        """What the case sets is what whoever made the results began from."""
        self.adapter.statistics = mean.astype(self.adapter.kept), variance.astype(self.adapter.kept)

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        """Nothing: whoever made the results had them."""

    def state(self) -> Mapping[str, Array]:
        """Nothing: the state is shared."""
        return {}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Nothing: the state is shared."""

    def freeze(self) -> None:
        """Nothing: whoever made the results froze the layer."""
