"""A host whose layers run in a worker process: what crashes or hangs there costs its own case and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np

from bn_conformance.adapter import LayerConfig
from bn_conformance.hosting.host import HostLost, LayerError, Sent
from bn_conformance.hosting.messages import answer_to, request_for
from bn_conformance.hosting.operations import Call, LoadCall, SupportsCall
from bn_conformance.hosting.process import START_LIMIT, Process
from bn_conformance.hosting.wire import PROTOCOL, WireError
from bn_conformance.results.outcomes import CRASHED

T = TypeVar("T")

AT_A_TIME = 1 << 20
"""Bytes of arrays that are sent before their answers are read, so that large ones do not lie in memory together."""


class IsolatedHost:
    """Runs the layers of one adapter in a worker process.

    Args:
        process: a process, which adapters of one framework may share.
        target: of the adapter.
        device: that it runs on.
        limit: seconds that a call may take.

    Attributes:
        description: what the adapter declares, as plain data.
        seconds: time spent in the implementation's own calls so far.

    Raises:
        LayerError: the adapter cannot be loaded.
        HostLost: the process ended or hangs.
    """

    def __init__(self, process: Process, target: str, device: str = "cpu", limit: float = 120.0) -> None:
        self._process, self._limit = process, limit
        self._reasons: dict[LayerConfig, str | None] = {}
        self.seconds = 0.0
        loaded = self._only_result(LoadCall(target, device), max(START_LIMIT, limit))
        if loaded.protocol != PROTOCOL:
            raise LayerError("load", "ProtocolError", f"the worker speaks protocol {loaded.protocol}, not {PROTOCOL}")
        self.description = loaded.description

    def reserve(self) -> int:
        """A number for a layer that is built later."""
        return next(self._process.layers)

    def ask(self, call: Call[T]) -> T:
        """Make one call; see `Host.ask`."""
        if isinstance(call, SupportsCall):
            return cast(T, self._reason(call))
        return self._only_result(call, self._limit)

    def run(self, calls: Sequence[Call[Any]]) -> tuple[list[Any], LayerError | None]:
        """Make calls in turn until one raises; see `Host.run`."""
        return self.send(calls)()

    def send(self, calls: Sequence[Call[Any]]) -> Sent:
        """Send calls without waiting; see `Host.send`. Of large ones the first are sent."""
        groups = [*_groups(calls)]
        if groups:
            self._process.send(_requests(groups[0]))
        return partial(self._results, groups)

    def _results(self, groups: Sequence[Sequence[Call[Any]]]) -> tuple[list[Any], LayerError | None]:
        """The results of groups of calls, of which the first was sent."""
        results: list[Any] = []
        for position, group in enumerate(groups):
            if position:
                self._process.send(_requests(group))
            error = self._append_results(results, group, self._limit)
            if error is not None:
                return results, error
        return results, None

    def _reason(self, call: SupportsCall) -> str | None:
        """Why a configuration is not supported: asked once for each, and never where an adapter sets no limits."""
        if not self.description.limits:
            return None
        if call.config not in self._reasons:
            self._reasons[call.config] = self._only_result(call, self._limit)
        return self._reasons[call.config]

    def _only_result(self, call: Call[T], limit: float) -> T:
        results: list[T] = []
        self._process.send(_requests([call]))
        error = self._append_results(results, [call], limit)
        if error is not None:
            raise error
        return results[0]

    def _append_results(self, results: list[Any], calls: Sequence[Call[Any]], limit: float) -> LayerError | None:
        """Append the results of calls that were sent, and give the first error; the calls after it are not run."""
        for call, answer in zip(calls, self._process.answers(limit), strict=True):
            try:
                read = answer_to(call, answer)
            except WireError as error:
                self._process.close()
                raise HostLost(CRASHED, f"the worker broke the protocol: {error}") from None
            self.seconds = read.seconds
            if read.failure is not None:
                return LayerError(call.name, read.failure.type, read.failure.message, read.failure.place)
            results.append(read.result)
        return None


def _requests(calls: Sequence[Call[Any]]) -> list[dict[str, Any]]:
    """Requests that are sent together: where one fails, those after it are not run."""
    return [request_for(call, chained=position > 0) for position, call in enumerate(calls)]


def _groups(calls: Sequence[Call[Any]]) -> Iterator[list[Call[Any]]]:
    """Calls that are sent together."""
    group, size = list[Call[Any]](), 0
    for call in calls:
        own_size = sum(value.nbytes for value in vars(call).values() if isinstance(value, np.ndarray))
        if group and size + own_size > AT_A_TIME:
            yield group
            group, size = [], 0
        group.append(call)
        size += own_size
    if group:
        yield group
