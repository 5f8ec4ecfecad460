"""A deviating layer run along an observation, results unrounded: from the statistics that were observed each time."""

from __future__ import annotations

from typing import Any

import numpy as np

from bn_conformance.cases.tensors import CaseData
from bn_conformance.hosting.host import ForwardResult, Returned
from bn_conformance.hosting.local import LocalHost
from bn_conformance.mutation.mutant import PlainAdapter
from bn_conformance.observing.observation import Observation, same_returned
from bn_reference.layer.layer import Array, PlainLayer

NAMES = ("running_mean", "running_var")


class Unrounded(PlainLayer):
    """Hands out results in the working dtype."""

    def deliver(self, values: Any, dtype: np.dtype[Any]) -> Any:
        """The values as they are."""
        return values


class Backwards(Unrounded):
    """Adds up from the last value to the first: in narrow arithmetic it rounds otherwise, as sound layers may."""

    def total(self, rows: Array, purpose: str) -> Array:
        """The sums from behind."""
        return super().total(rows[:, ::-1], purpose)


class InTurn(Unrounded):
    """Adds up every second value before the others, for the same reason."""

    def total(self, rows: Array, purpose: str) -> Array:
        """The sums of both halves."""
        return super().total(np.concatenate([rows[:, ::2], rows[:, 1::2]], axis=1), purpose)


class Following(LocalHost):
    """Runs the plain layer from the running statistics that were observed before each step.

    So errors do not add up over a sequence. Statistics are set past the layer's own methods, which a deviation may
    have changed. Those that moved since they were last read stay: nobody observed where to (a freeze may reset them).
    """

    def __init__(self, adapter: PlainAdapter, seen: Observation, data: CaseData) -> None:
        super().__init__(adapter)
        self._before = list(zip(data.batches, seen.steps, strict=False))
        self._read: dict[int, tuple[Any, ...]] = {}

    def received(self, value: Any) -> Returned:
        """The array itself: one in binary128, which a worker could not send, too."""
        return value if isinstance(value, np.ndarray) else super().received(value)

    def running_statistics(self, layer: int) -> tuple[Returned, Returned]:
        """Read them, and remember what the layer held."""
        found = super().running_statistics(layer)
        self._read[layer] = self._held(layer)
        return found

    def _held(self, layer: int) -> tuple[Any, ...]:
        return tuple(np.array(getattr(self._layers[layer], name, None)) for name in NAMES)

    def forward(self, layer: int, x: Any, view: str, training: bool, mask: Any = None) -> ForwardResult:
        """Take over the observed statistics, then run."""
        plain, before = self._layers[layer], None
        if self._before and self._before[0][0].x is x:  # else it is another layer's, between the steps
            before = self._before.pop(0)[1].before
        held = self._held(layer)
        if (
            before is not None
            and isinstance(plain, PlainLayer)
            and all(map(same_returned, held, self._read.get(layer, held)))
        ):
            for name, vector in zip(NAMES, before, strict=True):
                if isinstance(vector, np.ndarray) and vector.shape == getattr(plain, name).shape:
                    setattr(plain, name, vector.astype(plain.kept))
        return super().forward(layer, x, view, training, mask)
