"""The golden trajectory of a case: the state before each step, its results, and the state after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bn_conformance.adapter import Array, Convention, LayerConfig
from bn_conformance.cases.model import Batch, Case, Step, has_data
from bn_conformance.cases.recipes import dtype_of
from bn_conformance.cases.steps import is_frozen_after, type_of
from bn_conformance.cases.tensors import BatchData, vectors_of
from bn_conformance.judging.goldens import Goldens, StepGolden
from bn_reference.definition.running import Weights, weights_of
from bn_reference.definition.state import LayerFormats, Statistics
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import STABLE


@dataclass(frozen=True)
class TrajectoryStep:
    """One step of a trajectory.

    Attributes:
        step: the step.
        before: running statistics before it.
        after: running statistics after it.
        data: its tensors; None for a step without data.
        expected: goldens of y and the gradients; None for a step without data.
        statistics: goldens of running_mean and running_var; None where the step does not move them.
        weights: of the old and of the new statistic; None where the step does not move them.
        frozen: whether the layer is frozen.
        vectors: running statistics, or gamma and beta, that the step sets, by name; None for a step with data.
    """

    step: Step
    before: Statistics
    after: Statistics
    data: BatchData | None = None
    expected: Mapping[str, Expected] | None = None
    statistics: Mapping[str, Expected] | None = None
    weights: Weights | None = None
    frozen: bool = False
    vectors: Mapping[str, Array] | None = None


def walk(case: Case, convention: Convention, goldens: Goldens) -> Iterator[TrajectoryStep]:
    """Every step of a case, in order. The statistics carry the errors that the grade `stable` allows."""
    config = case.config
    state, frozen, position = Statistics.initial(config.num_channels, convention), False, 0
    data, steps = goldens.data(case), goldens.steps(case, convention)
    for step in case.steps:
        if has_data(step):
            walked = _batch(case, convention, step, data.batches[position], steps[position], state, frozen)
            position += 1
        else:
            vectors = _vectors_set(step, config, LayerFormats.of(config, convention))
            frozen = is_frozen_after([step], frozen)
            after = state
            if "running_mean" in vectors:
                after = Statistics.known(vectors["running_mean"], vectors["running_var"], state.updates)
            walked = TrajectoryStep(step, state, after, vectors=vectors)
        state = walked.after
        yield walked


def _vectors_set(step: Step, config: LayerConfig, formats: LayerFormats) -> dict[str, Array]:
    """The vectors that a step sets, by name; of gamma and beta those that the layer has."""
    statistics, parameters = type_of(step).statistics(step), type_of(step).parameters(step)
    vectors: dict[str, Array | None] = {}
    if statistics is not None:
        kept = dtype_of(formats.statistics.name).name
        mean, variance = (recipe.vector(config.num_channels, kept) for recipe in statistics)
        vectors |= {"running_mean": mean, "running_var": variance}
    if parameters is not None:
        vectors |= dict(zip(("gamma", "beta"), vectors_of(config, parameters), strict=True))
    return {name: vector for name, vector in vectors.items() if vector is not None}


def _batch(
    case: Case,
    convention: Convention,
    step: Batch,
    data: BatchData,
    golden: StepGolden,
    state: Statistics,
    frozen: bool,
) -> TrajectoryStep:
    if not step.training or frozen:
        return TrajectoryStep(step, state, state, data, golden.golden.inference(state, golden.dy), frozen=frozen)
    in_backward = convention.statistics_move == "backward"
    if step.shape[0] == 0 or (in_backward and step.dy is None):
        return TrajectoryStep(step, state, state, data, golden.training or {})
    weights = weights_of(case.config, convention, state.updates)
    after, statistics = golden.golden.update(state, STABLE)
    return TrajectoryStep(step, state, after, data, golden.training or {}, statistics, weights)
