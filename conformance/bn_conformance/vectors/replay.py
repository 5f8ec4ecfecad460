"""An implementation that replays the results in a file, so that the suite observes and judges it like any other."""

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
from bn_conformance.vectors.submissions import SubmittedRecord
from bn_reference.arithmetic.quad import round_to, to_quad
from bn_reference.definition.state import LayerFormats, Statistics

Given = Mapping[tuple[int, str], SubmittedRecord]
"""Records of one case under one convention, by step and quantity."""


class Refused(Exception):
    """The error that a file says a layer raised."""


class ReplayAdapter(Adapter):
    """Layers that replay the records of one case, once.

    Numbers are rounded once to the format of their quantity, as if stored in it. A quantity without a record is None;
    `check.py` drops what the judge says about it. Where a step need not give running statistics, they stay as they are.

    Args:
        case: the case.
        convention: the choices that it is judged under.
        given: its records.
        owed: the quantities that each step with data must give.
    """

    name = "replay"
    convention = Convention()

    def __init__(self, case: Case, convention: Convention, given: Given, owed: tuple[tuple[str, ...], ...]) -> None:
        super().__init__()
        self.case, self.under, self.given, self.owed = case, convention, given, owed
        formats = LayerFormats.of(case.config, convention)
        self.statistics_dtype = dtype_of(formats.statistics.name)
        initial = Statistics.initial(case.config.num_channels, convention)
        self.statistics: tuple[Any, Any] = (
            round_to(initial.mean, self.statistics_dtype),
            round_to(initial.variance, self.statistics_dtype),
        )
        self.step = -1

    def build(self, config: LayerConfig) -> Layer:
        """A layer. All layers of a case share their state, so that a reloaded layer goes on where the saved one was."""
        return ReplayLayer(self)

    def numbers(self, quantity: str) -> Any:
        """The recorded numbers of a quantity in the current step; None where there are none."""
        record = self.given.get((self.step, quantity))
        if record is None:
            return None
        config = self.case.config
        if quantity in ("running_mean", "running_var"):
            dtype = self.statistics_dtype
        else:
            dtype = dtype_of(config.dtype if quantity in ("y", "dx") else config.parameter_dtype)
        shape = record.shape if record.shape is not None else shape_of(self.case, self.step, record)
        with np.errstate(all="ignore"):
            return round_to(to_quad(np.array(record.values, np.float64)), dtype).reshape(shape)

    def move(self) -> None:
        """Move the running statistics to those recorded after the current step; keep them if none need be recorded."""
        owed = self.owed[self.step] if self.step < len(self.owed) else ()
        recorded = [self.numbers(name) for name in ("running_mean", "running_var")]
        if "running_var" in owed or any(part is not None for part in recorded):
            self.statistics = recorded[0], recorded[1]


def shape_of(case: Case, step: int, record: SubmittedRecord) -> tuple[int, ...]:
    """The shape that a record's numbers should have; flat for a case that must be refused, which has no right shape."""
    if case.expects == "refusal":
        return (len(record.values),)
    return (case.config.num_channels,) if record.vector else case.batches[step].shape


class ReplayLayer(Layer):
    """A layer that replays: every forward is the next step of the case."""

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
        """The recorded gradients of the current step."""
        self._move("backward")
        dx, dgamma, dbeta = (self.adapter.numbers(name) for name in ("dx", "dgamma", "dbeta"))
        return Gradients(dx, dgamma, dbeta)

    def update_statistics(self) -> None:
        """Move the statistics, where the convention says that an explicit update does."""
        self._move("explicit")

    def _move(self, moment: str) -> None:
        if moment == self.moment:
            self.adapter.move()

    def running_statistics(self) -> RunningStatistics:
        """The latest running statistics, copied."""
        copies: list[Any] = [part if part is None else part.copy() for part in self.adapter.statistics]
        return RunningStatistics(*copies)

    def set_running_statistics(self, mean: Array, variance: Array) -> None:
        """Set the statistics, as the author of the file did."""
        self.adapter.statistics = (
            mean.astype(self.adapter.statistics_dtype),
            variance.astype(self.adapter.statistics_dtype),
        )

    def set_parameters(self, gamma: Array | None, beta: Array | None) -> None:
        """Do nothing: the recorded results were made with these parameters."""

    def state(self) -> Mapping[str, Array]:
        """An empty state: all layers share theirs."""
        return {}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Do nothing: all layers share their state."""

    def freeze(self) -> None:
        """Do nothing: the recorded results were made with a frozen layer."""
