"""The pipeline sends the operations of a schedule to a host; those that do not wait for one another go together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.hosting.host import Host, LayerError, Sent
from bn_conformance.hosting.operations import OPERATIONS, Returned
from bn_conformance.hosting.wire import NotAnArray
from bn_conformance.observing.observation import NO_STATISTICS, Pair
from bn_conformance.observing.operation import InFormatOfStatistics, Operation, SavedState


@dataclass(frozen=True)
class AnsweredCall:
    """What an operation gave, and the arguments that it was sent with."""

    operation: Operation
    arguments: Mapping[str, Any]
    result: Any


class Pipeline:
    """Sends operations to a host and keeps what comes back.

    Args:
        host: where the operations run.
        copies: whether results are copied as they come in, since the layer's arrays will be written over.

    Attributes:
        answers: what the operations gave, in order, up to the first that raised.
        standing: the host's numbers of the layers that were built and not dropped.
        failed_step: the step of the operation that raised; -1 where none did.
        failed_operation: the name of that operation; empty where none raised.
    """

    def __init__(self, host: Host, copies: bool) -> None:
        self._host, self._copies = host, copies
        self._left = deque[Operation]()
        self._sent: list[tuple[Operation, dict[str, Any]]] = []
        self._results: Sent
        self._numbers: dict[int, int] = {}
        self._statistics: Pair = NO_STATISTICS
        self._state: dict[str, Array] = {}
        self.answers: list[AnsweredCall] = []
        self.standing: list[int] = []
        self.failed_step, self.failed_operation = -1, ""

    def begin(self, operations: Iterable[Operation]) -> None:
        """Send the first of operations without waiting; `finish` takes their results, and sends the others in order."""
        self._left = deque(operations)
        self._send_next()

    def finish(self) -> None:
        """Take the results of all operations.

        Raises:
            LayerError: the implementation raised, or saved something that is no array.
            HostLost: the process of the implementation is gone.
        """
        while self._sent:
            self._take_results()
            self._send_next()

    def _send_next(self) -> None:
        """Send the operations up to the next that waits."""
        self._sent = []
        while self._left and not (self._left[0].waits and self._sent):
            operation = self._left.popleft()
            self._sent.append((operation, self._arguments(operation)))
        if self._sent:
            calls = [OPERATIONS[operation.name](**arguments) for operation, arguments in self._sent]
            self._results = self._host.send(calls)

    def _arguments(self, operation: Operation) -> dict[str, Any]:
        """The arguments of an operation, with the host's number of the layer, and with values for all placeholders."""
        if operation.name == "build":
            self._numbers[operation.layer] = self._host.reserve()
        arguments = {name: self._value(value) for name, value in operation.arguments.items()}
        return {"layer": self._numbers[operation.layer], **arguments}

    def _value(self, argument: Any) -> Any:
        """The value of an argument, which may be a placeholder."""
        if isinstance(argument, InFormatOfStatistics):
            variance = self._statistics[1]
            dtype = variance.dtype.name if isinstance(variance, np.ndarray) else "float32"
            return argument.recipe.vector(argument.channels, dtype)
        return _spoiled(self._state, argument.spoil) if isinstance(argument, SavedState) else argument

    def _take_results(self) -> None:
        """Wait for the results of what was sent, and take them."""
        results, error = self._results()
        for (operation, arguments), result in zip(self._sent, results, strict=False):
            self._take(operation, arguments, result)
        if error is not None:
            self._failed(self._sent[len(results)][0])
            raise error

    def _failed(self, operation: Operation) -> None:
        self.failed_step, self.failed_operation = operation.step, operation.name

    def _take(self, operation: Operation, arguments: Mapping[str, Any], result: Any) -> None:
        layer = arguments["layer"]
        if operation.name == "build":
            self.standing.append(layer)
        elif operation.name == "drop":
            self.standing.remove(layer)
        elif operation.name == "running_statistics":
            self._statistics = result
        elif operation.name == "state":
            try:
                self._state = _arrays_of(result)
            except LayerError:
                self._failed(operation)
                raise
        elif self._copies and operation.into:
            result = replace(result, **{name: _copied(part) for name, part in vars(result).items()})
        self.answers.append(AnsweredCall(operation, arguments, result))


def _spoiled(state: dict[str, Array], spoil: str | None) -> dict[str, Array]:
    """A saved state with one vector missing, one more, or one that is a value longer; the longest vector is taken."""
    if spoil is None or not state:
        return state
    name = max(sorted(state), key=lambda key: state[key].size)
    if spoil == "missing":
        return {key: vector for key, vector in state.items() if key != name}
    vector = state[name]
    longer = np.concatenate([vector.reshape(-1), vector.reshape(-1)[:1]])
    return {**state, name: longer} if spoil == "longer" else {**state, f"{name}_of_another_layer": vector}


def _arrays_of(state: Mapping[str, Returned]) -> dict[str, Array]:
    """A saved state.

    Raises:
        LayerError: some of it is no array.
    """
    arrays: dict[str, Array] = {}
    for key, value in state.items():
        if isinstance(value, NotAnArray):
            raise LayerError("state", "TypeError", f"state()[{key!r}] is {value.description}; expected an array")
        arrays[key] = value
    return arrays


def _copied(part: Any) -> Any:
    return part.copy() if isinstance(part, np.ndarray) else part
