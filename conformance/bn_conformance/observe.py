"""Observation: a case run on a host, step by step, with what came back and when the statistics moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bn_conformance.adapter import Array, LayerConfig
from bn_conformance.case import Batch, Case, Freeze, Parameters, Reload, SetParameters, SetStatistics, Step
from bn_conformance.host import BackwardResult, ForwardResult, Host, LayerError, Returned, SecondResult
from bn_conformance.laws.judging import observe_laws
from bn_conformance.laws.running import Ran
from bn_conformance.views import realise
from bn_conformance.wire import NotAnArray

Pair = tuple[Returned, Returned]


@dataclass(frozen=True)
class BatchData:
    """The tensors of one step with data, as arrays of the configured format.

    gamma and beta are those that the layer has in this step, None where it has its defaults or lacks them.
    """

    x: Array
    dy: Array | None
    gamma: Array | None = None
    beta: Array | None = None
    interrupt: Array | None = None
    mask: Array | None = None
    second: tuple[Array, Array | None, Array | None] | None = None
    """v_dx, and the vectors v_dgamma and v_dbeta."""


@dataclass(frozen=True)
class CaseData:
    """Every tensor of a case. Made once, shared by all implementations; nobody writes to it.

    gamma and beta are those at the beginning.
    """

    batches: tuple[BatchData, ...]
    gamma: Array | None
    beta: Array | None


Vectors = tuple[Array | None, Array | None]


def data_of(case: Case) -> CaseData:
    """Make the data of a case. A view that repeats the first entry of the batch is applied to the data itself."""
    first = vectors = _vectors(case.config, case.parameters)
    batches = []
    for step in case.steps:
        if isinstance(step, SetParameters):
            vectors = _vectors(case.config, step)
        elif isinstance(step, Batch):
            batches.append(_batch_data(case.config, step, vectors))
    return CaseData(tuple(batches), *first)


def _vectors(config: LayerConfig, parameters: Parameters | None) -> Vectors:
    if parameters is None:
        return None, None
    channels, dtype = config.num_channels, config.parameter_dtype
    return (
        parameters.gamma.vector(channels, dtype) if config.gamma else None,
        parameters.beta.vector(channels, dtype) if config.beta else None,
    )


def _batch_data(config: LayerConfig, batch: Batch, vectors: Vectors) -> BatchData:
    axis = min(config.channel_axis, len(batch.shape) - 1)
    x = batch.x.tensor(batch.shape, axis, batch.dtype or config.dtype)
    dy = None if batch.dy is None else batch.dy.tensor(batch.dy_shape or batch.shape, axis, config.dtype)
    interrupt = None if batch.interrupt is None else batch.interrupt.tensor(batch.shape, axis, config.dtype)
    if batch.view == "broadcast":
        x = np.ascontiguousarray(realise(x, "broadcast"))
    if batch.dy_view == "broadcast" and dy is not None:
        dy = np.ascontiguousarray(realise(dy, "broadcast"))
    mask = None if batch.mask is None else batch.mask.array(batch.shape, axis)
    if batch.mask is not None and mask is not None:
        x = batch.mask.hide(x, mask)
    return BatchData(x, dy, *vectors, interrupt, mask, _second(config, batch, axis))


def _second(config: LayerConfig, batch: Batch, axis: int) -> tuple[Array, Array | None, Array | None] | None:
    if batch.second is None:
        return None
    channels, dtype, given = config.num_channels, config.parameter_dtype, batch.second
    return (
        given.v_dx.tensor(batch.shape, axis, config.dtype),
        given.v_dgamma.vector(channels, dtype) if given.v_dgamma and config.gamma else None,
        given.v_dbeta.vector(channels, dtype) if given.v_dbeta and config.beta else None,
    )


@dataclass
class StepObservation:
    """What one step with data gave. Statistics are pairs (mean, variance)."""

    before: Pair | None = None
    forward: ForwardResult | None = None
    after_forward: Pair | None = None
    after_update: Pair | None = None
    after_interrupt: Pair | None = None
    backward: BackwardResult | None = None
    second: SecondResult | None = None
    after: Pair | None = None


@dataclass
class Observation:
    """What a case gave: its steps with data up to the first error, and that error."""

    steps: list[StepObservation] = field(default_factory=list)
    initial: Pair | None = None
    kept: bool = True
    """Whether running statistics that were set were read back, number by number."""
    changed: list[str] = field(default_factory=list)
    """Arrays that went in or came out and hold other bytes at the end, as `y of forward 1`."""
    disturbed: list[str] = field(default_factory=list)
    """Results that two layers give at the same time and not alone, as `dx of layer 0`."""
    laws: dict[str, tuple[Ran, ...]] = field(default_factory=dict)
    """The runs of each law."""
    error: LayerError | None = None
    error_step: int = -1
    """Index (among all steps) of the step that raised; -1 for building the layer."""


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
            host.set_threads(case.threads)
            threads = True
        run.whole()
    except LayerError as error:
        run.seen.error = error
    for layer in run.built:
        run.seen.changed += host.drop(layer)
    if threads:
        host.set_threads(1)
    return run.seen


class _Run:
    """One run of a case: the layer that its steps are at, every layer that was built, and what was seen."""

    def __init__(self, case: Case, data: CaseData, host: Host, explicit_update: bool) -> None:
        self.case, self.data, self.host, self.explicit_update = case, data, host, explicit_update
        self.seen = Observation()
        self.built: list[int] = []
        self.layer = 0
        self.statistics: Pair = (NotAnArray("None"), NotAnArray("None"))

    def whole(self) -> None:
        """Build the layer and take every step."""
        self.layer = self._build()
        self._set_parameters(self.layer, self.data.gamma, self.data.beta, self.case.parameters)
        self.statistics = self.seen.initial = self.host.running_statistics(self.layer)
        position = 0
        for index, step in enumerate(self.case.steps):
            self.seen.error_step = index
            if isinstance(step, Batch):
                self._batch(step, self.data.batches[position])
                position += 1
            else:
                self._between(step)
        self.seen.error_step = -1
        if self.case.concurrent:
            self._concurrently(self.data.batches[0])
        self.seen.laws = observe_laws(self.case, self.data, self.host, self.explicit_update, self.built)

    def _build(self) -> int:
        self.built.append(self.host.build(self.case.config))
        return self.built[-1]

    def _set_parameters(
        self, layer: int, gamma: Array | None, beta: Array | None, parameters: Parameters | None
    ) -> None:
        if gamma is not None or beta is not None:
            self.host.set_parameters(layer, gamma, beta, parameters.view if parameters else "contiguous")
            self._overwrite(layer)

    def _overwrite(self, layer: int, but: Sequence[str] = ()) -> None:
        """Let the caller write over its arrays, where the case says so."""
        if self.case.overwrites:
            self.host.overwrite(layer, but)

    def _between(self, step: Step) -> None:
        """A step without data of its own."""
        if isinstance(step, SetStatistics):
            self._set_statistics(step)
        elif isinstance(step, SetParameters):
            self._set_parameters(self.layer, *_vectors(self.case.config, step), step)
        elif isinstance(step, Reload):
            self.layer = self._reload(step)
            self.statistics = self.host.running_statistics(self.layer)
        elif isinstance(step, Freeze):
            self.host.freeze(self.layer)

    def _set_statistics(self, step: SetStatistics) -> None:
        channels, dtype = self.case.config.num_channels, _dtype(self.statistics)
        mean, variance = (recipe.vector(channels, dtype) for recipe in (step.mean, step.variance))
        self.host.set_running_statistics(self.layer, mean, variance, step.view)
        self._overwrite(self.layer)
        self.statistics = self.host.running_statistics(self.layer)
        self.seen.kept = self.seen.kept and all(map(_holds, self.statistics, (mean, variance)))

    def _batch(self, step: Batch, data: BatchData) -> None:
        host, layer = self.host, self.layer
        seen = StepObservation(before=self.statistics)
        self.seen.steps.append(seen)
        seen.forward = host.forward(layer, data.x, step.view, step.training, data.mask)
        seen.after_forward = seen.after = host.running_statistics(layer)
        if step.training and self.explicit_update:
            host.update_statistics(layer)
            seen.after_update = seen.after = host.running_statistics(layer)
        if data.interrupt is not None:
            self._interrupt(data)
            seen.after_interrupt = seen.after = host.running_statistics(layer)
        if self.case.overwrites:
            seen.forward = replace(seen.forward, y=_copied(seen.forward.y))
            self._overwrite(layer, ("x of forward",))
        if data.dy is not None:
            seen.backward = host.backward(layer, data.dy, _dy_view(step))
            if self.case.overwrites:
                dx, dgamma, dbeta = map(_copied, (seen.backward.dx, seen.backward.dgamma, seen.backward.dbeta))
                seen.backward = replace(seen.backward, dx=dx, dgamma=dgamma, dbeta=dbeta)
                self._overwrite(layer, ("x of forward",) if data.second is not None else ())
            if data.second is not None:
                seen.second = host.double_backward(layer, data.dy, *data.second)
                if self.case.overwrites:
                    ds_dx, ds_dgamma, ds_ddy = map(
                        _copied, (seen.second.ds_dx, seen.second.ds_dgamma, seen.second.ds_ddy)
                    )
                    seen.second = replace(seen.second, ds_dx=ds_dx, ds_dgamma=ds_dgamma, ds_ddy=ds_ddy)
                    self._overwrite(layer)
            seen.after = host.running_statistics(layer)
        self.statistics = seen.after

    def _interrupt(self, data: BatchData) -> None:
        """Another layer, with the parameters in reverse so that they are its own, takes a training step and goes."""
        assert data.interrupt is not None
        other = self._build()
        gamma, beta = (None if vector is None else vector[::-1].copy() for vector in (data.gamma, data.beta))
        self._set_parameters(other, gamma, beta, None)
        self._use(other, data.interrupt, True)
        self.built.remove(other)
        self.seen.changed += [f"{what} of another layer" for what in self.host.drop(other)]

    def _use(self, layer: int, x: Array, training: bool) -> None:
        self.host.forward(layer, x, "contiguous", training)
        if training and self.explicit_update:
            self.host.update_statistics(layer)

    def _reload(self, step: Reload) -> int:
        host, layer = self.host, self.layer
        state = host.state(layer)
        foreign = {key: value for key, value in state.items() if isinstance(value, NotAnArray)}
        if foreign:
            key, value = next(iter(foreign.items()))
            raise LayerError("state", "TypeError", f"state()[{key!r}] is {value.description}; expected an array")
        arrays = {key: value for key, value in state.items() if not isinstance(value, NotAnArray)}
        other = self._build()
        also = None if step.also is None else _batch_data(self.case.config, step.also, (None, None)).x
        training = step.also is not None and step.also.training
        if also is not None:
            self._use(other, also, training)
        host.load_state(other, arrays)
        self._overwrite(other)
        if also is not None:
            self._use(layer, also, training)
        return other

    def _concurrently(self, data: BatchData) -> None:
        """Two layers that train at the same time give the bits that they give one after the other."""
        assert data.interrupt is not None
        assert data.dy is not None
        xs, rounds = (data.x, data.interrupt), self.case.concurrent
        dys = data.dy, data.dy + data.dy  # sums over equal ones could be mixed up and nobody would see it
        results = []
        for groups in (((0,), (1,)), ((0, 1),)):
            given: list[list[Sequence[Returned | None]]] = []
            for group in groups:
                layers = [self._build() for _ in group]
                for layer in layers:
                    self._set_parameters(layer, data.gamma, data.beta, None)
                given += self.host.concurrently(layers, [xs[i] for i in group], [dys[i] for i in group], rounds)
            results.append(given)
        for layer, (alone, beside) in enumerate(zip(*results, strict=True)):
            for name, one, other in zip(("y", "dx", "dgamma", "dbeta"), *map(_columns, (alone, beside)), strict=True):
                if not all(map(same_returned, one, other)):
                    self.seen.disturbed.append(f"{name} of layer {layer}")


def _copied(result: Any) -> Any:
    return result.copy() if isinstance(result, np.ndarray) else result


def _columns(rounds: list[Sequence[Returned | None]]) -> list[tuple[Returned | None, ...]]:
    """The results of each name, over all rounds."""
    return list(zip(*rounds, strict=True))


def same_returned(one: Returned | None, other: Returned | None) -> bool:
    """Whether two results are the same bits of the same format and shape."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return one == other if not isinstance(one, np.ndarray) and not isinstance(other, np.ndarray) else False


def _dy_view(step: Batch) -> str:
    return step.dy_view or ("readonly" if step.view == "broadcast" else step.view)


def _holds(got: Returned, given: Array) -> bool:
    """Whether a statistic is what was set; one that is no vector at all is judged elsewhere."""
    return not isinstance(got, np.ndarray) or got.shape != given.shape or bool(np.all(got == given))


def _dtype(statistics: Pair) -> str:
    """The format in which the implementation keeps its running variance (float32 where it gives no array)."""
    variance = statistics[1]
    return variance.dtype.name if isinstance(variance, np.ndarray) else "float32"
