"""A host runs the layers of one adapter: in this process (`local`), or in a process of its own (`isolated`).

Both take the calls of `operations` and turn everything that an implementation may do wrong into plain data: a result
that is no array is described, an exception becomes a `LayerError`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from bn_conformance.hosting.operations import Call
from bn_conformance.targets.errors import TEXT_LIMIT
from bn_conformance.text import one_line

ResultT = TypeVar("ResultT")


class LayerError(Exception):
    """An implementation raised.

    Attributes:
        operation: what it was asked to do.
        kind: name of the exception's type.
        message: the exception's text.
        place: file and line that it comes from, as `my_adapter.py, line 12`; empty where that is not known.
    """

    def __init__(self, operation: str, kind: str, message: str, place: str = "") -> None:
        self.operation, self.kind, self.message = operation, one_line(kind), one_line(message, TEXT_LIMIT)
        self.place = one_line(place)
        super().__init__(f"{operation} raised {self.kind}: {self.message}")

    @property
    def with_place(self) -> str:
        """What was raised, and where: `forward raised ValueError: no (my_adapter.py, line 12)`."""
        return f"{self} ({self.place})" if self.place else str(self)


class HostLost(Exception):
    """The process of an implementation is gone; `outcome` is `crashed` or `timed-out`."""

    def __init__(self, outcome: str, message: str) -> None:
        super().__init__(message)
        self.outcome, self.message = outcome, message


Sent = Callable[[], tuple[list[Any], LayerError | None]]
"""Waits for the results of calls that were sent, and gives what `Host.run` gives for them."""


class Host(Protocol):
    """Makes calls on the layers of one adapter."""

    seconds: float
    """Time spent in the implementation's own calls so far."""

    def reserve(self) -> int:
        """A number for a layer that is built later."""

    def ask(self, call: Call[ResultT]) -> ResultT:
        """Make one call.

        Raises:
            LayerError: the implementation raised.
            HostLost: its process ended, or did not answer in time.
        """

    def run(self, calls: Sequence[Call[Any]]) -> tuple[list[Any], LayerError | None]:
        """Make calls in turn until one raises: the results so far, and the error of the call that raised.

        This gives what `ask` gives for each of them, without waiting for each answer in turn.

        Raises:
            HostLost: the process of the implementation ended, or did not answer in time.
        """

    def send(self, calls: Sequence[Call[Any]]) -> Sent:
        """Send calls without waiting, and give what waits for their results, which must be asked next."""
