"""A host in this process: it runs the layers of an adapter where they can be watched, and debugged."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from bn_conformance.adapter import Adapter, Array, Layer, LayerConfig
from bn_conformance.cases.views import realise
from bn_conformance.hosting.host import (
    BackwardResult,
    Call,
    ForwardResult,
    LayerError,
    Returned,
    SecondResult,
)
from bn_conformance.hosting.memory_guard import Watch, memory_of
from bn_conformance.hosting.threads import together
from bn_conformance.hosting.wire import describe_foreign, is_numeric, native

T = TypeVar("T")

MESSAGE_LIMIT = 2000
"""Characters of an implementation's error message that are kept."""


def returned(value: Any) -> Returned:
    """An implementation's result as data: the array itself, or a description of what it is instead."""
    return native(value) if is_numeric(value) else describe_foreign(value)


class LocalHost:
    """Runs layers in this process."""

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._layers: dict[int, Layer] = {}
        self._watches: dict[int, Watch] = {}
        self._next = 0
        self.seconds = 0.0

    def _call(self, operation: str, function: Callable[[], T]) -> T:
        start = time.perf_counter()
        try:
            return function()
        except Exception as error:
            text = " ".join(str(error).split())[:MESSAGE_LIMIT]
            raise LayerError(operation, type(error).__name__, text) from error
        finally:
            self.seconds += time.perf_counter() - start

    def received(self, value: Any) -> Returned:
        """A result as data; what a host that never sends it may make otherwise."""
        return returned(value)

    def supports(self, config: LayerConfig) -> str | None:
        """See `Adapter.supports`."""
        return self._call("supports", lambda: self._adapter.supports(config))

    def run(self, calls: Sequence[Call]) -> tuple[list[Any], LayerError | None]:
        """Make calls one after the other up to the first that raises: their results, and what that one raised."""
        found = []
        for call in calls:
            try:
                found.append(getattr(self, call.operation)(**call.arguments))
            except LayerError as error:
                return found, error
        return found, None

    def reserve(self) -> int:
        """A number for a layer that is built later."""
        self._next += 1
        return self._next

    def build(self, config: LayerConfig, layer: int | None = None) -> int:
        """Build a layer and name it, by the number that was reserved for it if one was."""
        layer = self.reserve() if layer is None else layer
        self._layers[layer] = self._call("build", lambda: self._adapter.build(config))
        self._watches[layer] = Watch()
        return layer

    def forward(self, layer: int, x: Array, view: str, training: bool, mask: Array | None = None) -> ForwardResult:
        """Run forward (with a mask, the masked one) on a view of x."""
        given = realise(x, view)
        memory = memory_of(given)
        before = memory.tobytes()
        if mask is None:
            raw = self._call("forward", lambda: self._layers[layer].forward(given, training))
        else:
            mask = mask.copy()
            raw = self._call("forward_masked", lambda: self._layers[layer].forward_masked(given, mask, training))
        watch, after = self._watches[layer], memory.tobytes()
        number = watch.call("forward")
        if mask is not None:
            watch.hold("mask of forward", number, mask)
        watch.hold("x of forward", number, memory, after)
        watch.hold("y of forward", number, raw)
        y = self.received(raw)
        shares = isinstance(y, np.ndarray) and np.may_share_memory(y, given)
        if shares and isinstance(y, np.ndarray):
            y = y.copy()
        return ForwardResult(y, after != before, shares)

    def backward(self, layer: int, dy: Array, view: str) -> BackwardResult:
        """Run backward on a view of dy."""
        given = realise(dy, view)
        memory = memory_of(given)
        before = memory.tobytes()
        grads = self._call("backward", lambda: self._unpack(self._layers[layer].backward(given)))
        watch, after = self._watches[layer], memory.tobytes()
        number = watch.call("backward")
        watch.hold("dy of backward", number, memory, after)
        for name, gradient in zip(("dx", "dgamma", "dbeta"), grads, strict=True):
            watch.hold(f"{name} of backward", number, gradient)
        dx, dgamma, dbeta = grads
        return BackwardResult(
            self.received(dx),
            None if dgamma is None else self.received(dgamma),
            None if dbeta is None else self.received(dbeta),
            after != before,
        )

    def double_backward(
        self, layer: int, dy: Array, v_dx: Array, v_dgamma: Array | None, v_dbeta: Array | None
    ) -> SecondResult:
        """Run double_backward on copies."""
        given = [None if part is None else part.copy() for part in (dy, v_dx, v_dgamma, v_dbeta)]
        before = [None if part is None else part.tobytes() for part in given]
        found = self._call("double_backward", lambda: self._layers[layer].double_backward(*given))  # type: ignore[arg-type]
        after = [None if part is None else part.tobytes() for part in given]
        try:
            ds_dx, ds_dgamma, ds_ddy = found
        except (TypeError, ValueError):
            kind = describe_foreign(found).description
            message = f"double_backward returned {kind}; expected SecondOrder(ds_dx, ds_dgamma, ds_ddy)"
            raise LayerError("double_backward", "TypeError", message) from None
        watch = self._watches[layer]
        number = watch.call("double_backward")
        for name, gradient in (("ds_dx", ds_dx), ("ds_dgamma", ds_dgamma), ("ds_ddy", ds_ddy)):
            watch.hold(f"{name} of double_backward", number, gradient)
        of_gamma = None if ds_dgamma is None else self.received(ds_dgamma)
        return SecondResult(self.received(ds_dx), of_gamma, self.received(ds_ddy), after != before)

    @staticmethod
    def _unpack(grads: Any) -> tuple[Any, Any, Any]:
        try:
            dx, dgamma, dbeta = grads
        except (TypeError, ValueError):
            found = describe_foreign(grads).description
            raise TypeError(f"backward returned {found}; expected Gradients(dx, dgamma, dbeta)") from None
        return dx, dgamma, dbeta

    def running_statistics(self, layer: int) -> tuple[Returned, Returned]:
        """Running mean and variance, copied."""
        statistics = self._call("running_statistics", lambda: self._layers[layer].running_statistics())
        mean, variance = self._call("running_statistics", lambda: self._pair(statistics))
        watch = self._watches[layer]
        number = watch.call("running_statistics")
        for part in statistics:
            watch.hold("the result of running_statistics", number, part)
        return mean, variance

    @staticmethod
    def _pair(statistics: Any) -> tuple[Returned, Returned]:
        try:
            mean, variance = statistics
        except (TypeError, ValueError):
            found = describe_foreign(statistics).description
            raise TypeError(f"running_statistics returned {found}; expected a mean and a variance") from None
        return tuple(
            np.array(native(part)) if is_numeric(part) else describe_foreign(part) for part in (mean, variance)
        )  # type: ignore[return-value]

    def set_running_statistics(self, layer: int, mean: Array, variance: Array, view: str = "contiguous") -> None:
        """Set the running statistics from views of vectors."""
        given = self._given(layer, "set_running_statistics", {"mean": mean, "variance": variance}, view)
        self._call("set_running_statistics", lambda: self._layers[layer].set_running_statistics(**given))

    def set_parameters(self, layer: int, gamma: Array | None, beta: Array | None, view: str = "contiguous") -> None:
        """Set gamma and beta from views of vectors."""
        vectors = {name: part for name, part in (("gamma", gamma), ("beta", beta)) if part is not None}
        given = self._given(layer, "set_parameters", vectors, view)
        self._call("set_parameters", lambda: self._layers[layer].set_parameters(given.get("gamma"), given.get("beta")))

    def _given(self, layer: int, operation: str, arrays: Mapping[str, Array], view: str) -> dict[str, Array]:
        """Arrays in memory of their own, which the layer may keep and must not write to."""
        watch, given = self._watches[layer], {}
        number = watch.call(operation)
        for name, array in arrays.items():
            given[name] = realise(array, view) if array.ndim else array.copy()
            watch.hold(f"{name} of {operation}", number, memory_of(given[name]))
        return given

    def state(self, layer: int) -> Mapping[str, Returned]:
        """The layer's state, copied."""
        state = self._call("state", lambda: dict(self._layers[layer].state()))
        watch = self._watches[layer]
        number = watch.call("state")
        for key, value in state.items():
            watch.hold(f"{key} of state", number, value)
        return {
            str(key): np.array(native(value)) if is_numeric(value) else self.received(value)
            for key, value in state.items()
        }

    def load_state(self, layer: int, state: Mapping[str, Array]) -> None:
        """Load a state."""
        given = self._given(layer, "load_state", state, "contiguous")
        self._call("load_state", lambda: self._layers[layer].load_state(given))

    def freeze(self, layer: int) -> None:
        """Freeze the layer."""
        self._call("freeze", lambda: self._layers[layer].freeze())

    def update_statistics(self, layer: int) -> None:
        """Run the explicit update."""
        self._call("update_statistics", lambda: self._layers[layer].update_statistics())

    def set_threads(self, count: int) -> None:
        """See `Adapter.set_threads`."""
        self._call("set_threads", lambda: self._adapter.set_threads(count))

    def concurrently(
        self, layers: Sequence[int], xs: Sequence[Array], dys: Sequence[Array], rounds: int
    ) -> list[list[Sequence[Returned | None]]]:
        """Train layers at the same time, each in a thread of its own: y, dx, dgamma and dbeta of each round."""

        def step(layer: Layer, x: Array, dy: Array) -> Sequence[Returned | None]:
            results = [layer.forward(x, True), *self._unpack(layer.backward(dy))]
            return [None if part is None else returned(part) for part in results]

        calls = [
            partial(step, self._layers[layer], x.copy(), dy.copy())
            for layer, x, dy in zip(layers, xs, dys, strict=True)
        ]
        return self._call("concurrently", lambda: together(calls, rounds))

    def overwrite(self, layer: int, but: Sequence[str]) -> None:
        """Write over the arrays that a layer was given or gave, but those named so, as their owner may."""
        self._watches[layer].overwrite(but)

    def drop(self, layer: int) -> list[str]:
        """Forget a layer; which arrays that it was given or gave have changed since, as `y of forward 1`."""
        self._layers.pop(layer, None)
        watch = self._watches.pop(layer, None)
        return watch.changed() if watch else []
