"""The schedule of a case: every operation that it asks of a host, in order, as plain values.

A schedule is made before anything runs, from the case and its data alone. It knows no host and no result. It numbers
its layers from 0. Where an argument depends on the result of an earlier operation, it holds a placeholder:
`InFormatOfStatistics` or `SavedState`. `bn_conformance.observing.pipeline` sends the schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from bn_conformance.adapter import Array
from bn_conformance.cases.model import Batch, Case, EarlierBackward, Freeze, Reload, SetParameters, SetStatistics
from bn_conformance.cases.steps import BETWEEN, STANDING, handlers
from bn_conformance.cases.tensors import (
    BatchData,
    CaseData,
    SecondData,
    batch_data,
    exact_statistics,
    upstream_data,
    vectors_of,
)
from bn_conformance.cases.views import REPEATING
from bn_conformance.observing.companions import companion_data, companion_vectors
from bn_conformance.observing.operation import InFormatOfStatistics, Operation, SavedState

NO_ARGUMENTS: Mapping[str, Any] = MappingProxyType({})


def schedule_of(case: Case, data: CaseData, explicit_update: bool, original: bool = False) -> tuple[Operation, ...]:
    """Every operation of the steps of a case, from building the layer on.

    At the end the remaining layers are dropped, unless the case goes on after its steps with threads or laws.

    Args:
        case: the case.
        data: its tensors.
        explicit_update: whether the convention says that statistics move by an explicit update.
        original: whether layers are those that the implementation was compiled or exported from.
    """
    planner = _Planner(case, data, explicit_update, original)
    planner.begin()
    for index, step in enumerate(case.steps):
        planner.step = index
        _STANDING[type(step)](planner, step)
    if not case.concurrent and not case.laws:
        planner.drop_layers()
    return tuple(planner.operations)


class _Planner:
    """Adds the operations of one step after the other."""

    def __init__(self, case: Case, data: CaseData, explicit_update: bool, original: bool) -> None:
        self.case, self.data, self.explicit_update, self.original = case, data, explicit_update, original
        self.operations: list[Operation] = []
        self.step = -1
        self.position = -1
        self.layer = 0
        self.layers: list[int] = []
        """Layers that were built and not dropped."""
        self.earlier: list[int] = []
        """Companions that were built before the layer of the case."""
        self.later: list[int] = []
        """Companions that were built after it."""
        self.built = 0
        self.forward: Batch
        """The step with data that a backward belongs to."""

    def plan(
        self,
        name: str,
        layer: int,
        *into: str,
        arguments: Mapping[str, Any] = NO_ARGUMENTS,
        waits: bool = False,
        position: int | None = None,
        whose: str = "",
    ) -> None:
        """Add an operation; see `Operation`."""
        self.operations.append(Operation(name, layer, self.step, arguments, waits, position, into, whose))

    def begin(self) -> None:
        """Build the layer of the case."""
        view = self.case.parameters.view if self.case.parameters else "contiguous"
        before, after = self.case.companions or (0, 0)
        self.earlier = [self.companion(number) for number in range(before)]
        self.layer = self.build()
        self.set_vectors(self.layer, self.data.gamma, self.data.beta, view)
        self.plan("running_statistics", self.layer, "initial")
        self.later = [self.companion(before + number) for number in range(after)]

    def build(self, waits: bool = False) -> int:
        """Build another layer; its number."""
        layer = self.built
        self.built += 1
        self.layers.append(layer)
        arguments = {"config": self.case.config} | ({"original": True} if self.original else {})
        self.plan("build", layer, arguments=arguments, waits=waits)
        return layer

    def drop_layers(self) -> None:
        """Drop every layer that is left."""
        for layer in self.layers:
            self.plan("drop", layer, "changed")

    def overwrite(self, layer: int, *but: str, waits: bool = False) -> None:
        """Let the caller write over its arrays, where the case says so; those named `but` are left alone."""
        if self.case.overwrites:
            self.plan("overwrite", layer, arguments={"but": but}, waits=waits)

    def set_vectors(self, layer: int, gamma: Array | None, beta: Array | None, view: str) -> None:
        """Set those of gamma and beta that there are."""
        if gamma is not None or beta is not None:
            self.plan("set_parameters", layer, arguments={"gamma": gamma, "beta": beta, "view": view} | self.memory)
            self.overwrite(layer)

    def set_parameters(self, step: SetParameters) -> None:
        """Set gamma and beta."""
        self.set_vectors(self.layer, *vectors_of(self.case.config, step), step.view)

    def set_statistics(self, step: SetStatistics) -> None:
        """Set the running statistics, and read them back."""
        lengths = step.lengths or (self.case.config.num_channels,) * 2
        mean, variance = map(InFormatOfStatistics, (step.mean, step.variance), lengths)
        arguments = {"mean": mean, "variance": variance, "view": step.view} | self.memory
        self.plan("set_running_statistics", self.layer, arguments=arguments, waits=True)
        self.overwrite(self.layer)
        self.plan("running_statistics", self.layer, "kept")

    def freeze(self, step: Freeze) -> None:
        """Freeze the layer."""
        self.plan("freeze", self.layer)

    def reload(self, step: Reload) -> None:
        """Save, build another layer, load the state into it, and go on with that."""
        saved = self.layer
        self.plan("state", saved)
        self.layer = self.build(waits=True)
        also = None if step.also is None else batch_data(self.case.config, step.also, (None, None)).x
        training = step.also is not None and step.also.training
        if also is not None:
            self.use(self.layer, also, training)
        self.plan("load_state", self.layer, arguments={"state": SavedState(step.spoil)})
        self.overwrite(self.layer)
        if also is not None:
            self.use(saved, also, training)
        self.plan("running_statistics", self.layer)

    def reload_in_place(self, step: Reload) -> None:
        """Save, and load the state into the same layer."""
        self.plan("state", self.layer)
        self.plan("load_state", self.layer, arguments={"state": SavedState()}, waits=True)

    def use(self, layer: int, x: Array, training: bool) -> None:
        """A forward whose numbers are not judged."""
        self.plan("forward", layer, arguments={"x": x, "view": "contiguous", "training": training})
        if training and self.explicit_update:
            self.plan("update_statistics", layer)

    def batch(self, step: Batch) -> None:
        """A step with data: forward, update, what happens in between, and backward."""
        self.position += 1
        data = self.data.batches[self.position]
        arguments = {"x": data.x, "view": step.view, "training": step.training, "mask": data.mask}
        arguments |= {"shards": step.shards} if step.shards else {}
        arguments |= self.memory
        self.accompany(step, self.earlier)
        self.plan("forward", self.layer, "forward", arguments=arguments, position=self.position)
        self.read("after_forward")
        if step.training and self.explicit_update:
            self.plan("update_statistics", self.layer)
            self.read("after_update")
        if data.interrupt is not None:
            self.interrupt(data, data.interrupt, step.training or not self.case.concurrent)
            self.read("after_interrupt")
        if self.later:
            self.accompany(step, self.later)
            self.accompany_back(step, self.later)
            self.read("after_interrupt")
        if step.saved == "forward":
            self.plan("saved_statistics", self.layer, "saved", position=self.position)
        self.overwrite(self.layer, "x of forward", waits=True)
        self.forward = step
        for change in step.between:
            _BETWEEN[type(change)](self, change)
        if step.between:
            self.read("resumed")
        if data.dy is not None:
            self.backward(data.dy, data.second, self.position)
            self.read()
            if step.saved == "backward":
                mean, variance = exact_statistics(data.x, self.case.config.channel_axis)
                arguments = {"dy": data.dy, "mean": mean, "variance": variance}
                self.plan("backward_from", self.layer, "given", arguments=arguments, position=self.position)
        self.accompany_back(step, self.earlier)
        if step.shards:
            self.plan("shard_statistics", self.layer, "replicas", position=self.position)

    def read(self, *moments: str) -> None:
        """Read the running statistics of the step with data, at a moment of it."""
        self.plan("running_statistics", self.layer, *moments, "after", position=self.position)

    def interrupt(self, data: BatchData, x: Array, training: bool) -> None:
        """Another layer, with the parameters in reverse so that they are its own, takes a step and goes.

        It trains, but where two layers are to run at once in inference.
        """
        other = self.build()
        gamma, beta = (None if vector is None else vector[::-1].copy() for vector in (data.gamma, data.beta))
        self.set_vectors(other, gamma, beta, "contiguous")
        self.use(other, x, training)
        self.plan("drop", other, "changed", whose=" of another layer")
        self.layers.remove(other)

    def companion(self, number: int) -> int:
        """Build another layer that lives as long as that of the case; its number in the schedule."""
        layer = self.build()
        self.set_vectors(layer, *companion_vectors(self.data, number), "contiguous")
        return layer

    def accompany(self, step: Batch, layers: list[int]) -> None:
        """Forwards of companions in a step with data."""
        for layer in layers:
            self.use(layer, companion_data(self.case.config, step, layer).x, step.training)

    def accompany_back(self, step: Batch, layers: list[int]) -> None:
        """Backwards of companions, the last one first, where the step has one."""
        for layer in reversed(layers):
            dy = companion_data(self.case.config, step, layer).dy
            if dy is not None:
                self.plan("backward", layer, arguments={"dy": dy, "view": "contiguous"})

    @property
    def memory(self) -> dict[str, Any]:
        """Arguments that say where an array lies, for the calls of a caller that passes its arrays again."""
        return {"same_array": True} if self.case.same_arrays else {}

    def earlier_backward(self, step: EarlierBackward) -> None:
        """A backward before the step's own; its numbers are not judged."""
        self.backward(*upstream_data(self.case.config, self.forward, step), position=None)

    def backward(self, dy: Array, second: SecondData | None, position: int | None) -> None:
        """A backward, and one of the second order where something weighs it; without a position none is judged."""
        step, judged = self.forward, position is not None
        view = step.dy_view or ("readonly" if step.view in REPEATING else step.view)
        arguments = {"dy": dy, "view": view} | ({"shards": step.shards} if step.shards else {}) | self.memory
        self.plan("backward", self.layer, *["backward"] * judged, arguments=arguments, position=position)
        self.overwrite(self.layer, *["x of forward"] * (second is not None), waits=True)
        if second is not None:
            weighted = {"dy": dy, "view": view, **dict(zip(("v_dx", "v_dgamma", "v_dbeta"), second, strict=True))}
            self.plan("double_backward", self.layer, *["second"] * judged, arguments=weighted, position=position)
            self.overwrite(self.layer, waits=True)


StepPlanner = Callable[[_Planner, Any], None]

_STANDING: Mapping[type[Any], StepPlanner] = handlers(
    STANDING,
    {
        Batch: _Planner.batch,
        SetStatistics: _Planner.set_statistics,
        SetParameters: _Planner.set_parameters,
        Reload: _Planner.reload,
        Freeze: _Planner.freeze,
    },
)
_BETWEEN: Mapping[type[Any], StepPlanner] = handlers(
    BETWEEN,
    {
        SetStatistics: _Planner.set_statistics,
        SetParameters: _Planner.set_parameters,
        Reload: _Planner.reload_in_place,
        Freeze: _Planner.freeze,
        EarlierBackward: _Planner.earlier_backward,
    },
)
