"""Observation: a case run on a host, step by step, with what came back and when the statistics moved."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.case import Batch, Case, Freeze, Reload, SetStatistics
from bn_conformance.host import BackwardResult, ForwardResult, Host, LayerError, Returned
from bn_conformance.views import realise
from bn_conformance.wire import NotAnArray

Pair = tuple[Returned, Returned]


@dataclass(frozen=True)
class BatchData:
    """The tensors of one step: x, and dy or None, as arrays of the configured format."""

    x: Array
    dy: Array | None


@dataclass(frozen=True)
class CaseData:
    """Every tensor of a case. Made once, shared by all implementations; nobody writes to it."""

    batches: tuple[BatchData, ...]
    gamma: Array | None
    beta: Array | None


def data_of(case: Case) -> CaseData:
    """Make the data of a case. A view that repeats the first entry of the batch is applied to the data itself."""
    config = case.config
    batches = []
    for batch in case.batches:
        axis = min(config.channel_axis, len(batch.shape) - 1)
        x = batch.x.tensor(batch.shape, axis, batch.dtype or config.dtype)
        dy = None if batch.dy is None else batch.dy.tensor(batch.dy_shape or batch.shape, axis, config.dtype)
        if batch.view == "broadcast":
            x = np.ascontiguousarray(realise(x, "broadcast"))
        batches.append(BatchData(x, dy))
    gamma = beta = None
    if case.parameters is not None:
        channels, dtype = config.num_channels, config.parameter_dtype
        gamma = case.parameters.gamma.vector(channels, dtype) if config.gamma else None
        beta = case.parameters.beta.vector(channels, dtype) if config.beta else None
    return CaseData(tuple(batches), gamma, beta)


@dataclass
class StepObservation:
    """What one step with data gave. Statistics are pairs (mean, variance)."""

    before: Pair | None = None
    forward: ForwardResult | None = None
    after_forward: Pair | None = None
    after_update: Pair | None = None
    backward: BackwardResult | None = None
    after: Pair | None = None


@dataclass
class Observation:
    """What a case gave: its steps with data up to the first error, and that error."""

    steps: list[StepObservation] = field(default_factory=list)
    initial: Pair | None = None
    kept: bool = True
    """Whether running statistics that were set were read back, number by number."""
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
    seen = Observation()
    layers: list[int] = []
    try:
        _run(case, data, host, explicit_update, seen, layers)
    except LayerError as error:
        seen.error = error
    for layer in layers:
        host.drop(layer)
    return seen


def _run(case: Case, data: CaseData, host: Host, explicit_update: bool, seen: Observation, layers: list[int]) -> None:
    layers.append(host.build(case.config))
    if case.parameters is not None and (case.config.gamma or case.config.beta):
        host.set_parameters(layers[-1], data.gamma, data.beta)
    statistics = seen.initial = host.running_statistics(layers[-1])
    batches = iter(data.batches)
    for index, step in enumerate(case.steps):
        seen.error_step = index
        layer = layers[-1]
        if isinstance(step, Batch):
            observed = StepObservation(before=statistics)
            seen.steps.append(observed)
            _run_batch(step, next(batches), host, layer, explicit_update, observed)
            statistics = observed.after or statistics
        elif isinstance(step, SetStatistics):
            mean, variance = (
                recipe.vector(case.config.num_channels, _dtype(statistics)) for recipe in (step.mean, step.variance)
            )
            host.set_running_statistics(layer, mean, variance)
            statistics = host.running_statistics(layer)
            seen.kept = seen.kept and all(map(_holds, statistics, (mean, variance)))
        elif isinstance(step, Reload):
            layers.append(_reload(host, layer, case))
            statistics = host.running_statistics(layers[-1])
        elif isinstance(step, Freeze):
            host.freeze(layer)
    seen.error_step = -1


def _run_batch(
    step: Batch, data: BatchData, host: Host, layer: int, explicit_update: bool, seen: StepObservation
) -> None:
    view = "readonly" if step.view == "broadcast" else step.view
    seen.forward = host.forward(layer, data.x, step.view, step.training)
    seen.after_forward = seen.after = host.running_statistics(layer)
    if step.training and explicit_update:
        host.update_statistics(layer)
        seen.after_update = seen.after = host.running_statistics(layer)
    if data.dy is not None:
        seen.backward = host.backward(layer, data.dy, view)
        seen.after = host.running_statistics(layer)


def _reload(host: Host, layer: int, case: Case) -> int:
    state = host.state(layer)
    foreign = {key: value for key, value in state.items() if isinstance(value, NotAnArray)}
    if foreign:
        key, value = next(iter(foreign.items()))
        raise LayerError("state", "TypeError", f"state()[{key!r}] is {value.description}; expected an array")
    fresh = host.build(case.config)
    host.load_state(fresh, {key: value for key, value in state.items() if not isinstance(value, NotAnArray)})
    return fresh


def _holds(got: Returned, given: Array) -> bool:
    """Whether a statistic is what was set; one that is no vector at all is judged elsewhere."""
    return not isinstance(got, np.ndarray) or got.shape != given.shape or bool(np.all(got == given))


def _dtype(statistics: Pair) -> str:
    """The format in which the implementation keeps its running variance (float32 where it gives no array)."""
    variance = statistics[1]
    return variance.dtype.name if isinstance(variance, np.ndarray) else "float32"
