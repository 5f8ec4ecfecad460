"""Teacher forcing: each step of a mutant starts from the running statistics that were observed before that step.

So errors do not add up over a sequence, and each step can be compared by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bn_conformance.cases.tensors import CaseData
from bn_conformance.hosting.local import LocalHost
from bn_conformance.hosting.operations import ForwardCall, ForwardResult, Returned, RunningStatisticsCall
from bn_conformance.mutation.mutant import PlainAdapter
from bn_conformance.observing.observation import Observation, same_returned
from bn_reference.layer.layer import PlainLayer

RUNNING_STATISTICS = ("running_mean", "running_var")
"""The attributes of a plain layer that are set."""


class TeacherForcedHost(LocalHost):
    """Runs a plain layer along an observation.

    It sets the statistics as attributes and not through the layer's methods, which a deviation may have changed.
    Statistics that moved since they were last read are left alone: nobody observed their new values (a freeze, for
    example, may reset them).

    Args:
        adapter: builds the layer.
        observation: its steps say where each step starts.
        data: of the case that was observed.
    """

    def __init__(self, adapter: PlainAdapter, observation: Observation, data: CaseData) -> None:
        super().__init__(adapter)
        self._steps_ahead = list(zip(data.batches, observation.steps, strict=False))
        self._last_read: dict[int, tuple[Any, ...]] = {}

    def received(self, value: Any) -> Returned:
        """The array itself, binary128 included, which cannot be sent to a worker."""
        return value if isinstance(value, np.ndarray) else super().received(value)

    def running_statistics(self, call: RunningStatisticsCall) -> tuple[Returned, Returned]:
        """Read them, and remember what the layer held."""
        statistics = super().running_statistics(call)
        self._last_read[call.layer] = self._held(call.layer)
        return statistics

    def _held(self, layer: int) -> tuple[Any, ...]:
        return tuple(np.array(getattr(self.layers[layer], name, None)) for name in RUNNING_STATISTICS)

    def forward(self, call: ForwardCall) -> ForwardResult:
        """Set the observed statistics, then run."""
        plain, before = self.layers[call.layer], None
        if self._steps_ahead and self._steps_ahead[0][0].x is call.x:  # else the call is of another layer
            before = self._steps_ahead.pop(0)[1].before
        held = self._held(call.layer)
        if (
            before is not None
            and isinstance(plain, PlainLayer)
            and all(map(same_returned, held, self._last_read.get(call.layer, held)))
        ):
            for name, vector in zip(RUNNING_STATISTICS, before, strict=True):
                if isinstance(vector, np.ndarray) and vector.shape == getattr(plain, name).shape:
                    setattr(plain, name, vector.astype(plain.statistics_dtype))
        return super().forward(call)
