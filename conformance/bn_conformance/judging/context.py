"""What a case and one of its steps are judged with: two frozen contexts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Batch, Case
from bn_conformance.cases.tensors import CaseData
from bn_conformance.judging.clauses import clause_of
from bn_conformance.judging.goldens import StepGolden
from bn_conformance.observing.observation import StepObservation
from bn_reference.definition.state import LayerFormats


@dataclass(frozen=True)
class JudgingContext:
    """The case, its data, the goldens of its steps with data in order, and the convention that is declared."""

    case: Case
    data: CaseData
    goldens: tuple[StepGolden, ...]
    convention: Convention

    @cached_property
    def formats(self) -> LayerFormats:
        """Formats of the layer."""
        return LayerFormats.of(self.case.config, self.convention)


@dataclass(frozen=True)
class StepContext:
    """What one step with data is judged with.

    Attributes:
        context: that of the case.
        step: the step.
        position: its index among the steps with data.
        observation: what it gave.
        frozen: whether the layer is frozen when it begins.
        updates: how often the running statistics should have moved before it.
    """

    context: JudgingContext
    step: Batch
    position: int
    observation: StepObservation
    frozen: bool
    updates: int

    @property
    def case(self) -> Case:
        """The case that the step belongs to."""
        return self.context.case

    @property
    def golden(self) -> StepGolden:
        """The golden of the step."""
        return self.context.goldens[self.position]

    @property
    def name(self) -> str:
        """How the names of its quantities begin: `step0` for the first step with data."""
        return f"step{self.position}"

    @property
    def training(self) -> bool:
        """Whether batch statistics are used."""
        return self.step.training and not self.frozen

    def clause_of(self, quantity: str) -> str:
        """The clause behind a quantity of the step."""
        return clause_of(quantity, self.training, self.step.mask is not None, bool(self.step.shards))

    @property
    def _others(self) -> tuple[int, ...]:
        """The sizes of the axes of x beside that of the channels."""
        axis = self.case.config.channel_axis
        return tuple(size for place, size in enumerate(self.step.shape) if place != axis)

    @cached_property
    def moves(self) -> bool:
        """Whether the running statistics should move: in training, if any position counts and their moment comes."""
        in_backward = self.context.convention.statistics_move == "backward"
        moment_comes = not in_backward or self.step.dy is not None
        mask = self.context.data.batches[self.position].mask
        counts = prod(self._others) > 0 and (mask is None or bool(mask.any()))
        return self.training and moment_comes and counts
