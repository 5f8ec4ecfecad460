"""A host runs layers of one adapter: in this process (`local_host`), or in one of its own (`isolated`).

Both offer the same operations, on layers named by numbers, and turn everything an implementation may do wrong into
plain data: what is no array is described, an exception becomes `LayerError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.hosting.wire import NotAnArray

Returned = Array | NotAnArray


class LayerError(Exception):
    """An implementation raised.

    Attributes:
        operation: what it was asked to do.
        kind: name of the exception's type.
        message: the exception's text.
    """

    def __init__(self, operation: str, kind: str, message: str) -> None:
        super().__init__(f"{operation} raised {kind}: {message}")
        self.operation, self.kind, self.message = operation, kind, message


class HostLost(Exception):
    """The process of an implementation is gone: `crashed` or `timed-out` is the outcome."""

    def __init__(self, outcome: str, message: str) -> None:
        super().__init__(message)
        self.outcome, self.message = outcome, message


@dataclass(frozen=True)
class ForwardResult:
    """What a forward gave, and whether x was changed or is shared by y."""

    y: Returned
    input_modified: bool
    shares_input: bool


@dataclass(frozen=True)
class BackwardResult:
    """What a backward gave (None for a gradient that does not exist), and whether dy was changed."""

    dx: Returned
    dgamma: Returned | None
    dbeta: Returned | None
    input_modified: bool


@dataclass(frozen=True)
class SecondResult:
    """What a double backward gave (None for a gradient that does not exist), and whether an input was changed."""

    ds_dx: Returned
    ds_dgamma: Returned | None
    ds_ddy: Returned
    input_modified: bool


@dataclass(frozen=True)
class Call:
    """One operation of a host, by its name, to be made with others."""

    operation: str
    arguments: Mapping[str, Any]


class Host(Protocol):
    """Operations on the layers of one adapter. All raise `LayerError`; hosts in other processes also `HostLost`."""

    seconds: float
    """Time spent in the implementation's own calls so far."""

    def run(self, calls: Sequence[Call]) -> tuple[list[Any], LayerError | None]:
        """Make calls one after the other up to the first that raises: their results, and what that one raised.

        It is what each of them alone does, without waiting for every answer in turn.
        """

    def reserve(self) -> int:
        """A number for a layer that is built later."""

    def supports(self, config: LayerConfig) -> str | None:
        """See `Adapter.supports`."""

    def build(self, config: LayerConfig, layer: int | None = None) -> int:
        """Build a layer and name it, by the number that was reserved for it if one was."""

    def forward(self, layer: int, x: Array, view: str, training: bool, mask: Array | None = None) -> ForwardResult:
        """Run forward (with a mask, the masked one) on a view of x."""

    def backward(self, layer: int, dy: Array, view: str) -> BackwardResult:
        """Run backward on a view of dy."""

    def double_backward(
        self, layer: int, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None
    ) -> SecondResult:
        """Run double_backward."""

    def running_statistics(self, layer: int) -> tuple[Returned, Returned]:
        """Running mean and variance."""

    def set_running_statistics(self, layer: int, mean: Array, variance: Array, view: str = "contiguous") -> None:
        """Set the running statistics from views of vectors."""

    def set_parameters(self, layer: int, gamma: Array | None, beta: Array | None, view: str = "contiguous") -> None:
        """Set gamma and beta from views of vectors."""

    def state(self, layer: int) -> Mapping[str, Returned]:
        """The layer's state."""

    def load_state(self, layer: int, state: Mapping[str, Array]) -> None:
        """Load a state."""

    def freeze(self, layer: int) -> None:
        """Freeze the layer."""

    def update_statistics(self, layer: int) -> None:
        """Run the explicit update."""

    def set_threads(self, count: int) -> None:
        """See `Adapter.set_threads`."""

    def concurrently(
        self, layers: Sequence[int], xs: Sequence[Array], dys: Sequence[Array], rounds: int
    ) -> list[list[Sequence[Returned | None]]]:
        """Train layers at the same time, each in a thread of its own: y, dx, dgamma and dbeta of each round."""

    def overwrite(self, layer: int, but: Sequence[str]) -> None:
        """Write over the arrays that a layer was given or gave, but those named so, as their owner may."""

    def drop(self, layer: int) -> list[str]:
        """Forget a layer; which arrays that it was given or gave have changed since, as `y of forward 1`."""
