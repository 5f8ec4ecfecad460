"""A host in this process: it runs the layers of an adapter where memory can be watched, and debugged."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import perf_counter  # bound before an adapter can put something else in its place
from typing import Any, TypeVar

import numpy as np

from bn_conformance.adapter import Adapter, Array, Layer
from bn_conformance.cases.views import REPEATING, realise
from bn_conformance.hosting.host import LayerError, Sent
from bn_conformance.hosting.memory_guard import MemoryGuard, memory_of
from bn_conformance.hosting.operations import (
    BackwardCall,
    BackwardFromCall,
    BackwardFromResult,
    BackwardResult,
    BuildCall,
    Call,
    ConcurrentlyCall,
    DoubleBackwardCall,
    DropCall,
    ForwardCall,
    ForwardResult,
    FreezeCall,
    LoadStateCall,
    OverwriteCall,
    Returned,
    RunningStatisticsCall,
    SavedResult,
    SavedStatisticsCall,
    SecondResult,
    SetParametersCall,
    SetRunningStatisticsCall,
    SetThreadsCall,
    ShardStatisticsCall,
    StateCall,
    SupportsCall,
    UpdateStatisticsCall,
)
from bn_conformance.hosting.returned import as_data, content, copied, gradients_of, reason, result_parts, snapshot
from bn_conformance.hosting.shards import backward_on, forward_on, shards_of, statistics_of_replicas
from bn_conformance.hosting.threads import together
from bn_conformance.hosting.wire import WireError, is_numeric
from bn_conformance.targets.errors import error_place, error_text
from bn_conformance.text import one_line

T = TypeVar("T")


class LocalHost:
    """Runs layers in this process. Each operation has a method of its name.

    Attributes:
        layers: the layers that are built and not dropped, by number.
        seconds: time spent in the implementation's own calls so far.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._guards: dict[int, MemoryGuard] = {}
        self._numbers = itertools.count(1)
        self.layers: dict[int, Layer] = {}
        self.seconds = 0.0

    def reserve(self) -> int:
        """A number for a layer that is built later."""
        return next(self._numbers)

    def ask(self, call: Call[T]) -> T:
        """Make one call; see `Host.ask`."""
        result: T = getattr(self, call.name)(call)
        return result

    def run(self, calls: Sequence[Call[Any]]) -> tuple[list[Any], LayerError | None]:
        """Make calls in turn until one raises; see `Host.run`."""
        results: list[Any] = []
        try:
            results.extend(map(self.ask, calls))
        except LayerError as error:
            return results, error
        return results, None

    def send(self, calls: Sequence[Call[Any]]) -> Sent:
        """Make calls once their results are waited for; see `Host.send`."""
        return partial(self.run, calls)

    def received(self, value: Any) -> Returned:
        """A result of the implementation as data: the array itself, or a description of what it is instead."""
        return as_data(value)

    def supports(self, call: SupportsCall) -> str | None:
        """See `Adapter.supports`."""
        return self._timed("supports", lambda: reason(self._adapter.supports(call.config)))

    def set_threads(self, call: SetThreadsCall) -> None:
        """See `Adapter.set_threads`."""
        self._timed("set_threads", lambda: self._adapter.set_threads(call.count))

    def build(self, call: BuildCall) -> None:
        """Build a layer under the call's number."""
        build = self._adapter.build_original if call.original else self._adapter.build
        self.layers[call.layer] = self._timed("build", lambda: build(call.config))
        self._guards[call.layer] = MemoryGuard()

    def forward(self, call: ForwardCall) -> ForwardResult:
        """Run forward, the masked forward where there is a mask, or that of shards, with masks or without."""
        layer, guard, mask = self._layer(call), self._guards[call.layer], copied(call.mask)
        x = guard.given("x", realise(call.x, call.view), call.same_array)
        memory = memory_of(x)
        before = memory.tobytes()
        parts = shards_of(x, call.shards)
        given: Any
        if parts:
            masks = [] if mask is None else shards_of(mask, call.shards)
            given = self._timed("forward", lambda: forward_on(layer, parts, call.training, masks))
        elif mask is None:
            given = self._timed("forward", lambda: layer.forward(x, call.training))
        else:
            given = self._timed("forward", lambda: layer.forward_masked(x, mask, call.training))
        after = memory.tobytes()
        number = guard.count("forward")
        guard.hold("mask of forward", number, mask)
        guard.hold("x of forward", number, memory, after)
        guard.hold("y of forward", number, given)
        y = self.received(given)
        shares_input = isinstance(y, np.ndarray) and np.may_share_memory(y, x)
        if shares_input and isinstance(y, np.ndarray):
            y = y.copy()
        return ForwardResult(y, after != before, shares_input)

    def backward(self, call: BackwardCall) -> BackwardResult:
        """Run backward on a view of dy."""
        layer, guard = self._layer(call), self._guards[call.layer]
        dy = guard.given("dy", realise(call.dy, call.view), call.same_array)
        memory = memory_of(dy)
        before = memory.tobytes()
        parts = shards_of(dy, call.shards)
        gradients = self._timed("backward", lambda: gradients_of(backward_on(layer, dy, parts)))
        after = memory.tobytes()
        number = guard.count("backward")
        guard.hold("dy of backward", number, memory, after)
        _, dgamma, dbeta = self._held_results(call, number, ("dx", "dgamma", "dbeta"), gradients)
        return BackwardResult(self.received(gradients[0]), dgamma, dbeta, after != before)

    def double_backward(self, call: DoubleBackwardCall) -> SecondResult:
        """Run the double backward on views of dy and v_dx, and on copies of the vectors."""
        layer = self._layer(call)
        tensors = [
            realise(part, call.view if place == 0 or call.view not in REPEATING else "contiguous")
            for place, part in enumerate((call.dy, call.v_dx))
        ]
        arguments = [*tensors, copied(call.v_dgamma), copied(call.v_dbeta)]
        before = list(map(content, arguments))
        given = self._timed("double_backward", lambda: layer.double_backward(*arguments))  # type: ignore[arg-type]
        changed = list(map(content, arguments)) != before
        expected = "SecondOrder(ds_dx, ds_dgamma, ds_ddy)"
        gradients = self._timed("double_backward", lambda: result_parts("double_backward", given, 3, expected))
        number = self._guards[call.layer].count("double_backward")
        _, ds_dgamma, _ = self._held_results(call, number, ("ds_dx", "ds_dgamma", "ds_ddy"), gradients)
        return SecondResult(self.received(gradients[0]), ds_dgamma, self.received(gradients[2]), changed)

    def saved_statistics(self, call: SavedStatisticsCall) -> SavedResult:
        """Read what the latest forward keeps, copied."""
        layer, name = self._layer(call), call.name
        given = self._timed(name, layer.saved_statistics)
        parts = self._timed(name, lambda: result_parts(name, given, 2, "a mean and an inverse deviation"))
        return SavedResult(*map(snapshot, parts))

    def backward_from(self, call: BackwardFromCall) -> BackwardFromResult:
        """Run backward on a view of dy, from copies of the statistics."""
        layer, dy = self._layer(call), realise(call.dy, call.view)
        statistics = call.mean.copy(), call.variance.copy()
        gradients = self._timed(call.name, lambda: gradients_of(layer.backward_from(dy, *statistics)))
        dx, dgamma, dbeta = (None if part is None else self.received(part) for part in gradients)
        return BackwardFromResult(self.received(None) if dx is None else dx, dgamma, dbeta)

    def running_statistics(self, call: RunningStatisticsCall) -> tuple[Returned, Returned]:
        """Read the running mean and variance, copied."""
        layer, name = self._layer(call), call.name
        given = self._timed(name, layer.running_statistics)
        mean, variance = self._timed(name, lambda: result_parts(name, given, 2, "a mean and a variance"))
        guard = self._guards[call.layer]
        number = guard.count(name)
        for part in (mean, variance):
            guard.hold("the result of running_statistics", number, part)
        return snapshot(mean), snapshot(variance)

    def shard_statistics(self, call: ShardStatisticsCall) -> Sequence[tuple[Returned, Returned]]:
        """Read the running statistics of each replica, copied."""
        layer = self._layer(call)
        pairs = self._timed("shard_statistics", lambda: statistics_of_replicas(layer.shard_statistics()))
        return [(snapshot(mean), snapshot(variance)) for mean, variance in pairs]

    def set_running_statistics(self, call: SetRunningStatisticsCall) -> None:
        """Set the running statistics from views of vectors."""
        layer = self._layer(call)
        vectors = self._held_arguments(call, {"mean": call.mean, "variance": call.variance}, call.view)
        self._timed("set_running_statistics", lambda: layer.set_running_statistics(**vectors))

    def set_parameters(self, call: SetParametersCall) -> None:
        """Set gamma and beta from views of vectors."""
        layer = self._layer(call)
        present = {name: part for name, part in (("gamma", call.gamma), ("beta", call.beta)) if part is not None}
        vectors = self._held_arguments(call, present, call.view)
        self._timed("set_parameters", lambda: layer.set_parameters(vectors.get("gamma"), vectors.get("beta")))

    def state(self, call: StateCall) -> Mapping[str, Returned]:
        """Read the layer's state, copied."""
        layer = self._layer(call)
        state = self._timed("state", lambda: dict(layer.state()))
        guard = self._guards[call.layer]
        number = guard.count("state")
        for key, value in state.items():
            guard.hold(f"{one_line(str(key))} of state", number, value)
        return {
            str(key): snapshot(value) if is_numeric(value) else self.received(value) for key, value in state.items()
        }

    def load_state(self, call: LoadStateCall) -> None:
        """Load a state."""
        layer = self._layer(call)
        state = self._held_arguments(call, call.state, "contiguous")
        self._timed("load_state", lambda: layer.load_state(state))

    def freeze(self, call: FreezeCall) -> None:
        """Freeze the layer."""
        self._timed("freeze", self._layer(call).freeze)

    def update_statistics(self, call: UpdateStatisticsCall) -> None:
        """Run the explicit update."""
        self._timed("update_statistics", self._layer(call).update_statistics)

    def concurrently(self, call: ConcurrentlyCall) -> Sequence[Sequence[Sequence[Returned | None]]]:
        """Train layers, or infer with them, at the same time, each in a thread of its own."""

        def step(layer: Layer, x: Array, dy: Array) -> Sequence[Returned | None]:
            results = [layer.forward(x, call.training), *(gradients_of(layer.backward(dy)) if call.training else ())]
            return [None if part is None else self.received(part) for part in results]

        parts = zip(call.layers, call.xs, call.dys, strict=True)
        steps = [partial(step, self._numbered(layer), x.copy(), dy.copy()) for layer, x, dy in parts]
        return self._timed("concurrently", lambda: together(steps, call.rounds))

    def overwrite(self, call: OverwriteCall) -> None:
        """Write over the arrays that a layer was given or gave, except those named, and let its framework know."""
        layer = self._layer(call)
        self._guards[call.layer].overwrite(call.but)
        self._timed("overwritten", lambda: layer.overwritten(call.but))

    def drop(self, call: DropCall) -> Sequence[str]:
        """Forget a layer, and name the arrays that changed after their call."""
        self.layers.pop(call.layer, None)
        guard = self._guards.pop(call.layer, None)
        return guard.changed() if guard else []

    def _layer(self, call: Any) -> Layer:
        return self._numbered(call.layer)

    def _numbered(self, number: int) -> Layer:
        if number not in self.layers:
            raise WireError(f"there is no layer {number}")
        return self.layers[number]

    def _timed(self, operation: str, function: Callable[[], T]) -> T:
        """Call the implementation.

        Raises:
            LayerError: it raised.
        """
        start = perf_counter()
        try:
            return function()
        except Exception as error:
            kind = one_line(type(error).__name__)
            raise LayerError(operation, kind, error_text(error), error_place(error)) from error
        finally:
            self.seconds += perf_counter() - start

    def _held_arguments(self, call: Any, arrays: Mapping[str, Array], view: str) -> dict[str, Array]:
        """Arrays in memory of their own, which the layer may keep and must not write to."""
        guard, arguments = self._guards[call.layer], {}
        number = guard.count(call.name)
        for name, array in arrays.items():
            fresh = realise(array, view) if array.ndim else array.copy()
            arguments[name] = guard.given(name, fresh, getattr(call, "same_array", False))
            guard.hold(f"{name} of {call.name}", number, memory_of(arguments[name]))
        return arguments

    def _held_results(
        self, call: Any, number: int, names: Sequence[str], results: Sequence[Any]
    ) -> list[Returned | None]:
        """Results as data, None for one that does not exist; their memory is watched from now on."""
        for name, result in zip(names, results, strict=True):
            self._guards[call.layer].hold(f"{name} of {call.name}", number, result)
        return [None if result is None else self.received(result) for result in results]
