"""Who may refuse what: an error is a refusal only where the operation that raised had been given the input in question.

An error before that (in building the layer, in setting its parameters, in an ordinary step) says nothing about the
input that a clause speaks of, and one that no clause allows is an error however clear it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod

from bn_conformance.cases.model import (
    Batch,
    Case,
    EarlierBackward,
    Reload,
    SetParameters,
    SetStatistics,
    Step,
    has_data,
)
from bn_conformance.cases.tensors import BatchData, CaseData
from bn_conformance.observing.observation import Observation


@dataclass(frozen=True)
class Given:
    """What a step with data gives a layer."""

    case: Case
    batch: Batch
    data: BatchData

    @property
    def count(self) -> int:
        """Values a channel that count."""
        if self.data.mask is not None:
            return int(self.data.mask.sum())
        x, axis = self.data.x, self.case.config.channel_axis
        return prod(size for place, size in enumerate(x.shape) if place != axis % x.ndim)

    @property
    def empty(self) -> bool:
        """Whether there is no entry in x, whatever a mask says."""
        return self.count == 0 and self.data.mask is None


FORWARD, BACKWARD = frozenset({"forward"}), frozenset({"backward", "double_backward"})
BOTH = FORWARD | BACKWARD
TRAINING = BOTH | {"update_statistics"}

_IN_STEPS: Mapping[str, tuple[frozenset[str], Callable[[Given], bool]]] = {
    "EDGE-1": (TRAINING, lambda given: given.batch.training and given.count == 1),
    "EDGE-2": (TRAINING, lambda given: given.batch.training and given.empty),
    "EDGE-5": (BOTH, lambda given: not given.batch.training and given.empty),
    "MASK-5": (TRAINING, lambda given: given.batch.training and given.count == 0),
    "STATE-7": (FORWARD, lambda given: not _fits(given)),
    "STATE-8": (BACKWARD, lambda given: _changed(given.batch)),
    "ERR-1": (FORWARD, lambda given: not _fits(given)),
    "ERR-2": (FORWARD, lambda given: not _fits(given)),
    "ERR-3": (FORWARD, lambda given: given.batch.dtype is not None),
    "ERR-4": (BACKWARD, lambda given: given.batch.dy_shape not in (None, given.batch.shape)),
}
"""By the clause that allows or asks for it: operations of a step that may refuse, and what the step must be."""

_SETTING = frozenset({"set_parameters", "set_running_statistics", "load_state"})

_AFTER: Mapping[str, Callable[[Step], bool]] = {
    "EVAL-4": lambda step: isinstance(step, SetStatistics),
    "ERR-5": lambda step: isinstance(step, SetParameters | SetStatistics) and step.lengths is not None,
    "ERR-6": lambda step: isinstance(step, SetParameters | SetStatistics) and step.lengths is not None,
    "ERR-7": lambda step: isinstance(step, Reload) and step.spoil is not None,
}
"""By the clause of a case: the steps that may be refused, when they set or load something or in the forward after."""

_WHOLE: Mapping[str, Callable[[Case], bool]] = {
    "EDGE-3": lambda case: case.config.num_channels == 0,
    "FWD-2": lambda case: case.config.eps == 0,
}
"""By clause: what the layer itself must be, so that building it, and all that is done with it, may be refused."""


def may_refuse(case: Case, data: CaseData, step: int, operation: str) -> bool:
    """Whether an error of an operation counts as a refusal of what the case is about.

    Args:
        case: one that does not expect numbers alone, or whose caller writes over y before the backward.
        data: its tensors.
        step: index in `Case.steps` of the step that the operation belongs to; -1 for none.
        operation: its name in the worker protocol.
    """
    if case.expects == "numbers":
        return case.overwrites and operation in BACKWARD  # PURE-7
    if any(holds(case) for holds in _WHOLE.values()):
        return True
    after = [_AFTER[clause] for clause in case.clauses if clause in _AFTER]
    if step >= 0 and any(holds(each) for holds in after for each in case.steps[: step + 1]):
        return operation in _SETTING | FORWARD
    if step < 0 or not has_data(batch := case.steps[step]):
        return False
    position = sum(map(has_data, case.steps[:step]))
    given = Given(case, batch, data.batches[position])
    return any(operation in operations and holds(given) for operations, holds in _IN_STEPS.values())


def refuses(case: Case, data: CaseData, observation: Observation) -> bool:
    """Whether the error that ended an observation counts as a refusal."""
    return may_refuse(case, data, observation.error_step, observation.error_operation)


def _fits(given: Given) -> bool:
    """Whether x has the rank and the channels of the layer."""
    config, shape = given.case.config, given.batch.shape
    return len(shape) == config.rank and shape[config.channel_axis] == config.num_channels


def _changed(batch: Batch) -> bool:
    """Whether something that the forward used is changed, or the layer frozen, before the backward."""
    return any(not isinstance(change, EarlierBackward) for change in batch.between)
