"""Observation: a case run on a host, step by step, with what came back and when the statistics moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.cases.model import (
    Backward,
    Batch,
    Case,
    Freeze,
    Parameters,
    Reload,
    SetParameters,
    SetStatistics,
    Step,
)
from bn_conformance.cases.tensors import BatchData, CaseData, batch_data, vectors_of
from bn_conformance.hosting.host import Host, LayerError
from bn_conformance.hosting.operations import (
    OPERATIONS,
    BackwardResult,
    Call,
    ConcurrentlyCall,
    DropCall,
    ForwardResult,
    Returned,
    SecondResult,
    SetThreadsCall,
    StateCall,
)
from bn_conformance.hosting.wire import NotAnArray
from bn_conformance.laws.verdicts import observe_laws
from bn_conformance.observing.observation import Observation, Pair, StepObservation, same_returned

Result = TypeVar("Result", ForwardResult, BackwardResult, SecondResult)


def observe(case: Case, data: CaseData, host: Host, explicit_update: bool) -> Observation:
    """Run a case once on a fresh layer.

    Args:
        case: what to run.
        data: its tensors.
        host: where.
        explicit_update: whether the convention says that statistics move by an explicit update.

    Raises:
        HostLost: the process of the implementation is gone.
    """
    run = _Run(case, data, host, explicit_update)
    threads = False
    try:
        if case.threads != 1:
            host.ask(SetThreadsCall(case.threads))
            threads = True
        run.whole()
    except LayerError as error:
        run.seen.error = error
    for changed in host.run([DropCall(layer) for layer in run.built])[0]:
        run.seen.changed += changed
    if threads:
        host.ask(SetThreadsCall(1))
    return run.seen


@dataclass(frozen=True)
class _Planned:
    """A call that is made when an answer is needed, the step that it belongs to, and what takes its result."""

    step: int
    call: Call[Any]
    take: Callable[[Any], None]


def _ignore(result: Any) -> None:
    """For results that say nothing."""


class _Run:
    """One run of a case: the layer that its steps are at, every layer that was built, and what was seen.

    Calls are planned and made together, where no step needs to know what an earlier one gave.
    """

    def __init__(self, case: Case, data: CaseData, host: Host, explicit_update: bool) -> None:
        self.case, self.data, self.host, self.explicit_update = case, data, host, explicit_update
        self.seen = Observation()
        self.built: list[int] = []
        self.left: list[int] = []
        """Those that are there when what is planned has been made."""
        self.planned: list[_Planned] = []
        self.step = -1
        self.layer = 0
        self.statistics: Pair = (NotAnArray("None"), NotAnArray("None"))

    def whole(self) -> None:
        """Build the layer and take every step.

        Raises:
            LayerError: the implementation raised, at the step that `Observation.error_step` says.
        """
        self.layer = self._build()
        self._set_parameters(self.layer, self.data.gamma, self.data.beta, self.case.parameters)
        self._read(self.seen.begin)
        position = 0
        for index, step in enumerate(self.case.steps):
            self.step = index
            if isinstance(step, Batch):
                self._batch(step, self.data.batches[position])
                position += 1
            else:
                self._between(step)
        if not self.case.concurrent and not self.case.laws:
            self._drop()
        self._make()
        self.step = self.seen.error_step = -1
        if self.case.concurrent:
            self._concurrently(self.data.batches[0])
        self.seen.laws = observe_laws(self.case, self.data, self.host, self.explicit_update, self.built)

    def _plan(self, operation: str, take: Callable[[Any], None] = _ignore, **arguments: Any) -> None:
        self.planned.append(_Planned(self.step, OPERATIONS[operation](**arguments), take))

    def _make(self) -> None:
        """Make the planned calls."""
        planned, self.planned = self.planned, []
        results, error = self.host.run([one.call for one in planned])
        for one, result in zip(planned, results, strict=False):
            one.take(result)
        self.seen.error_step = self.step
        if error is not None:
            self.seen.error_step = planned[len(results)].step
            raise error

    def _build(self) -> int:
        layer = self.host.reserve()
        self.left.append(layer)
        self._plan("build", lambda _: self.built.append(layer), config=self.case.config, layer=layer)
        return layer

    def _drop(self) -> None:
        """Plan to let the layers go, with the last calls rather than after them."""
        for layer in self.left:

            def dropped(changed: list[str], layer: int = layer) -> None:
                self.built.remove(layer)
                self.seen.changed += changed

            self._plan("drop", dropped, layer=layer)

    def _read(self, take: Callable[[Pair], None] = _ignore) -> None:
        """Plan to read the running statistics."""

        def taken(pair: Pair) -> None:
            self.statistics = pair
            take(pair)

        self._plan("running_statistics", taken, layer=self.layer)

    def _set_parameters(
        self, layer: int, gamma: Array | None, beta: Array | None, parameters: Parameters | None
    ) -> None:
        if gamma is not None or beta is not None:
            view = parameters.view if parameters else "contiguous"
            self._plan("set_parameters", layer=layer, gamma=gamma, beta=beta, view=view)
            self._overwrite(layer)

    def _overwrite(self, layer: int, but: Sequence[str] = ()) -> None:
        """Let the caller write over its arrays, where the case says so."""
        if self.case.overwrites:
            self._plan("overwrite", layer=layer, but=but)

    def _between(self, step: Step) -> None:
        """A step without data of its own."""
        if isinstance(step, SetStatistics):
            self._set_statistics(step)
        elif isinstance(step, SetParameters):
            self._set_parameters(self.layer, *vectors_of(self.case.config, step), step)
        elif isinstance(step, Reload):
            self.layer = self._reload(step)
            self._read()
        elif isinstance(step, Freeze):
            self._plan("freeze", layer=self.layer)

    def _set_statistics(self, step: SetStatistics) -> None:
        self._make()  # the format of the statistics is what the layer keeps them in
        channels, dtype = self.case.config.num_channels, _dtype(self.statistics)
        mean, variance = (recipe.vector(channels, dtype) for recipe in (step.mean, step.variance))
        self._plan("set_running_statistics", layer=self.layer, mean=mean, variance=variance, view=step.view)
        self._overwrite(self.layer)

        def held(pair: Pair) -> None:
            self.seen.kept = self.seen.kept and all(map(_holds, pair, (mean, variance)))

        self._read(held)

    def _batch(self, step: Batch, data: BatchData) -> None:
        seen = StepObservation()

        def begun(forward: ForwardResult) -> None:
            seen.before, seen.forward = self.statistics, self._own(forward)
            self.seen.steps.append(seen)

        arguments = {"x": data.x, "view": step.view, "training": step.training, "mask": data.mask}
        self._plan("forward", begun, layer=self.layer, **arguments)
        self._read(seen.take("after_forward", "after"))
        if step.training and self.explicit_update:
            self._plan("update_statistics", layer=self.layer)
            self._read(seen.take("after_update", "after"))
        if data.interrupt is not None:
            self._interrupt(data)
            self._read(seen.take("after_interrupt", "after"))
        if self.case.overwrites:
            self._make()
            self._overwrite(self.layer, ("x of forward",))
        if step.between:
            self._within(step)
            self._read(seen.take("resumed", "after"))
        if data.dy is not None:
            self._backward(step, data, seen)
            self._read(seen.take("after"))

    def _within(self, step: Batch) -> None:
        """What happens between a forward and its backward."""
        for change in step.between:
            if isinstance(change, Backward):
                earlier = replace(step, dy=change.dy, second=change.second)
                self._backward(earlier, batch_data(self.case.config, earlier, (None, None)), StepObservation())
            elif isinstance(change, Reload):
                self._make()
                self._plan("load_state", layer=self.layer, state=self._state(self.layer))
            else:
                self._between(change)

    def _backward(self, step: Batch, data: BatchData, seen: StepObservation) -> None:
        self._plan(
            "backward",
            lambda backward: seen.take("backward")(self._own(backward)),
            layer=self.layer, dy=data.dy, view=_dy_view(step),
        )  # fmt: skip
        if self.case.overwrites:
            self._make()
            self._overwrite(self.layer, ("x of forward",) if data.second is not None else ())
        if data.second is not None:
            names = ("v_dx", "v_dgamma", "v_dbeta")
            self._plan(
                "double_backward",
                lambda second: seen.take("second")(self._own(second)),
                layer=self.layer, dy=data.dy, **dict(zip(names, data.second, strict=True)),
            )  # fmt: skip
            if self.case.overwrites:
                self._make()
                self._overwrite(self.layer)

    def _own(self, result: Result) -> Result:
        """A result with arrays of its own, where the layer's may be written over."""
        if not self.case.overwrites:
            return result
        return replace(result, **{name: _copied(part) for name, part in vars(result).items()})

    def _interrupt(self, data: BatchData) -> None:
        """Another layer, with the parameters in reverse so that they are its own, takes a training step and goes."""
        assert data.interrupt is not None
        other = self._build()
        gamma, beta = (None if vector is None else vector[::-1].copy() for vector in (data.gamma, data.beta))
        self._set_parameters(other, gamma, beta, None)
        self._use(other, data.interrupt, True)

        def gone(changed: list[str]) -> None:
            self.built.remove(other)
            self.seen.changed += [f"{what} of another layer" for what in changed]

        self._plan("drop", gone, layer=other)
        self.left.remove(other)

    def _use(self, layer: int, x: Array, training: bool) -> None:
        self._plan("forward", layer=layer, x=x, view="contiguous", training=training)
        if training and self.explicit_update:
            self._plan("update_statistics", layer=layer)

    def _reload(self, step: Reload) -> int:
        self._make()
        layer = self.layer
        arrays = self._state(layer)
        other = self._build()
        also = None if step.also is None else batch_data(self.case.config, step.also, (None, None)).x
        training = step.also is not None and step.also.training
        if also is not None:
            self._use(other, also, training)
        self._plan("load_state", layer=other, state=arrays)
        self._overwrite(other)
        if also is not None:
            self._use(layer, also, training)
        return other

    def _state(self, layer: int) -> dict[str, Array]:
        """What a layer saves.

        Raises:
            LayerError: some of it is no array.
        """
        state = self.host.ask(StateCall(layer))
        for key, value in state.items():
            if isinstance(value, NotAnArray):
                raise LayerError("state", "TypeError", f"state()[{key!r}] is {value.description}; expected an array")
        return {key: value for key, value in state.items() if not isinstance(value, NotAnArray)}

    def _concurrently(self, data: BatchData) -> None:
        """Two layers that train at the same time give the bits that they give one after the other."""
        assert data.interrupt is not None
        assert data.dy is not None
        xs, rounds = (data.x, data.interrupt), self.case.concurrent
        dys = data.dy, data.dy + data.dy  # sums over equal ones could be mixed up and nobody would see it
        results = []
        for groups in (((0,), (1,)), ((0, 1),)):
            given: list[Sequence[Sequence[Returned | None]]] = []
            for group in groups:
                layers = [self._build() for _ in group]
                for layer in layers:
                    self._set_parameters(layer, data.gamma, data.beta, None)
                self._make()
                call = ConcurrentlyCall(layers, [xs[i] for i in group], [dys[i] for i in group], rounds)
                given += self.host.ask(call)
            results.append(given)
        for layer, (alone, beside) in enumerate(zip(*results, strict=True)):
            for name, one, other in zip(("y", "dx", "dgamma", "dbeta"), *map(_columns, (alone, beside)), strict=True):
                if not all(map(same_returned, one, other)):
                    self.seen.disturbed.append(f"{name} of layer {layer}")


def _copied(result: Any) -> Any:
    return result.copy() if isinstance(result, np.ndarray) else result


def _columns(rounds: Sequence[Sequence[Returned | None]]) -> list[tuple[Returned | None, ...]]:
    """The results of each name, over all rounds."""
    return list(zip(*rounds, strict=True))


def _dy_view(step: Batch) -> str:
    return step.dy_view or ("readonly" if step.view == "broadcast" else step.view)


def _holds(got: Returned, given: Array) -> bool:
    """Whether a statistic is what was set; one that is no vector at all is judged elsewhere."""
    return not isinstance(got, np.ndarray) or got.shape != given.shape or bool(np.all(got == given))


def _dtype(statistics: Pair) -> str:
    """The format in which the implementation keeps its running variance (float32 where it gives no array)."""
    variance = statistics[1]
    return variance.dtype.name if isinstance(variance, np.ndarray) else "float32"
