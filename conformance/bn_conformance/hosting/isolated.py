"""Layers in a process of their own: what crashes or hangs there costs its own case and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.hosting.host import (
    BackwardResult,
    Call,
    ForwardResult,
    LayerError,
    Returned,
    SecondResult,
)
from bn_conformance.hosting.process import START_LIMIT, Process


class IsolatedHost:
    """Runs the layers of one adapter in a worker process, with the operations of `bn_conformance.hosting.host.Host`.

    Args:
        process: a process, which adapters of one framework may share.
        target: of the adapter.
        device: that it runs on.
        limit: seconds that a call may take.

    Raises:
        LayerError: the adapter cannot be loaded.
        HostLost: the process ended or hangs.
    """

    def __init__(self, process: Process, target: str, device: str = "cpu", limit: float = 120.0) -> None:
        self._process, self._limit = process, limit
        self._supported: dict[LayerConfig, str | None] = {}
        self.seconds = 0.0
        self.description = self._ask("load", limit=max(START_LIMIT, limit), target=target, device=device)

    def run(self, calls: Sequence[Call]) -> tuple[list[Any], LayerError | None]:
        """Make calls one after the other up to the first that raises: their results, and what that one raised."""
        found: list[Any] = []
        for some in _groups(calls):
            error = self._group(some, self._limit, found)
            if error is not None:
                return found, error
        return found, None

    def _group(self, calls: Sequence[Call], limit: float, found: list[Any]) -> LayerError | None:
        """Send calls together, append their results, and give the first error; what came after it was not run."""
        requests = [_request(call) for call in calls]
        for request in requests[1:]:
            request["chained"] = True
        for call, answer in zip(calls, self._process.ask(requests, limit), strict=True):
            self.seconds = float(answer.get("seconds", 0.0))
            if "error" in answer:
                error = answer["error"]
                return LayerError(call.operation, str(error.get("type")), str(error.get("message")))
            found.append(_RESULTS.get(call.operation, _as_it_is)(answer.get("ok")))
        return None

    def _ask(self, operation: str, limit: float | None = None, **arguments: Any) -> Any:
        found: list[Any] = []
        error = self._group([Call(operation, arguments)], limit or self._limit, found)
        if error is not None:
            raise error
        return found[0]

    def supports(self, config: LayerConfig) -> str | None:
        """See `Adapter.supports`; once for a configuration, and not where an adapter sets no limits of its own."""
        if not self.description["limits"]:
            return None
        if config not in self._supported:
            reason = self._ask("supports", config=config)
            self._supported[config] = None if reason is None else str(reason)
        return self._supported[config]

    def reserve(self) -> int:
        """A number for a layer that is built later."""
        return next(self._process.layers)

    def build(self, config: LayerConfig, layer: int | None = None) -> int:
        """Build a layer and name it, by the number that was reserved for it if one was."""
        layer = self.reserve() if layer is None else layer
        self._ask("build", config=config, layer=layer)
        return layer

    def forward(self, layer: int, x: Array, view: str, training: bool, mask: Array | None = None) -> ForwardResult:
        """Run forward (with a mask, the masked one) on a view of x."""
        found: ForwardResult = self._ask("forward", layer=layer, x=x, view=view, training=training, mask=mask)
        return found

    def backward(self, layer: int, dy: Array, view: str) -> BackwardResult:
        """Run backward on a view of dy."""
        found: BackwardResult = self._ask("backward", layer=layer, dy=dy, view=view)
        return found

    def double_backward(
        self, layer: int, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None
    ) -> SecondResult:
        """Run double_backward."""
        found: SecondResult = self._ask(
            "double_backward", layer=layer, dy=dy, v_dx=v_dx, v_dgamma=v_dgamma, v_dbeta=v_dbeta
        )
        return found

    def running_statistics(self, layer: int) -> tuple[Returned, Returned]:
        """Running mean and variance."""
        found: tuple[Returned, Returned] = self._ask("running_statistics", layer=layer)
        return found

    def set_running_statistics(self, layer: int, mean: Array, variance: Array, view: str = "contiguous") -> None:
        """Set the running statistics from views of vectors."""
        self._ask("set_running_statistics", layer=layer, mean=mean, variance=variance, view=view)

    def set_parameters(self, layer: int, gamma: Array | None, beta: Array | None, view: str = "contiguous") -> None:
        """Set gamma and beta from views of vectors."""
        self._ask("set_parameters", layer=layer, gamma=gamma, beta=beta, view=view)

    def state(self, layer: int) -> Mapping[str, Returned]:
        """The layer's state."""
        state: dict[str, Returned] = self._ask("state", layer=layer)
        return state

    def load_state(self, layer: int, state: Mapping[str, Array]) -> None:
        """Load a state."""
        self._ask("load_state", layer=layer, state=dict(state))

    def freeze(self, layer: int) -> None:
        """Freeze the layer."""
        self._ask("freeze", layer=layer)

    def update_statistics(self, layer: int) -> None:
        """Run the explicit update."""
        self._ask("update_statistics", layer=layer)

    def set_threads(self, count: int) -> None:
        """See `Adapter.set_threads`."""
        self._ask("set_threads", count=count)

    def concurrently(
        self, layers: Sequence[int], xs: Sequence[Array], dys: Sequence[Array], rounds: int
    ) -> list[list[Sequence[Returned | None]]]:
        """Train layers at the same time, each in a thread of its own: y, dx, dgamma and dbeta of each round."""
        given: list[list[Sequence[Returned | None]]] = self._ask(
            "concurrently", layers=list(layers), xs=list(xs), dys=list(dys), rounds=rounds
        )
        return given

    def overwrite(self, layer: int, but: Sequence[str]) -> None:
        """Write over the arrays that a layer was given or gave, but those named so, as their owner may."""
        self._ask("overwrite", layer=layer, but=but)

    def drop(self, layer: int) -> list[str]:
        """Forget a layer; which arrays that it was given or gave have changed since, as `y of forward 1`."""
        found: list[str] = self._ask("drop", layer=layer)
        return found


AT_A_TIME = 1 << 20
"""Bytes of arrays that are sent before their answers are read, so that large ones do not lie in memory together."""


def _groups(calls: Sequence[Call]) -> Iterator[list[Call]]:
    """Calls that are sent together."""
    group, size = list[Call](), 0
    for call in calls:
        own = sum(value.nbytes for value in call.arguments.values() if isinstance(value, np.ndarray))
        if group and size + own > AT_A_TIME:
            yield group
            group, size = [], 0
        group.append(call)
        size += own
    if group:
        yield group


def _request(call: Call) -> dict[str, Any]:
    arguments = {
        name: value.to_json() if isinstance(value, LayerConfig) else value for name, value in call.arguments.items()
    }
    return {"op": call.operation, **arguments}


def _as_it_is(answer: Any) -> Any:
    return answer


_RESULTS: dict[str, Callable[[Any], Any]] = {
    "forward": lambda answer: ForwardResult(**answer),
    "backward": lambda answer: BackwardResult(**answer),
    "double_backward": lambda answer: SecondResult(**answer),
    "running_statistics": tuple,
    "drop": lambda answer: [str(what) for what in answer],
}
"""What answers are made into."""
