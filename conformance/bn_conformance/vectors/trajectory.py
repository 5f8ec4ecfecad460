"""A case walked along its golden trajectory: what each step starts from, gives, and leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bn_conformance.adapter import Array, Convention
from bn_conformance.cases.model import Batch, Case, Freeze, SetParameters, SetStatistics, Step
from bn_conformance.cases.recipes import dtype_of
from bn_conformance.cases.tensors import BatchData
from bn_conformance.judging.goldens import Goldens, StepGolden
from bn_reference.definition.running import Weights, weights_of
from bn_reference.definition.state import Formats, Statistics
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import STABLE


@dataclass(frozen=True)
class Walked:
    """One step.

    Attributes:
        step: the step.
        before: running statistics before it.
        after: running statistics after it.
        data: its tensors, where it has some.
        expected: y and the gradients that it gives; those of one with data alone.
        statistics: running_mean and running_var to judge, where the step moves them.
        weights: of the old and of the new statistic, where the step moves them.
        frozen: whether the layer is frozen.
        vectors: what the step sets, by name: running statistics, or gamma and beta.
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


def walk(case: Case, convention: Convention, goldens: Goldens) -> Iterator[Walked]:
    """Every step of a case, in order. Errors of the statistics are carried along, those of the grade `stable`."""
    config = case.config
    state, frozen, position = Statistics.initial(config.num_channels, convention), False, 0
    data, steps = goldens.data(case), goldens.steps(case, convention)
    for step in case.steps:
        if isinstance(step, Batch):
            walked = _batch(case, convention, step, data.batches[position], steps[position], state, frozen)
            position += 1
        elif isinstance(step, SetStatistics):
            dtype = dtype_of(Formats.of(config, convention).statistics.name).name
            mean, variance = (recipe.vector(config.num_channels, dtype) for recipe in (step.mean, step.variance))
            known = Statistics.known(mean, variance, state.updates)
            walked = Walked(step, state, known, vectors={"running_mean": mean, "running_var": variance})
        elif isinstance(step, SetParameters):
            recipes = {"gamma": step.gamma} if config.gamma else {}
            recipes |= {"beta": step.beta} if config.beta else {}
            given = {name: one.vector(config.num_channels, config.parameter_dtype) for name, one in recipes.items()}
            walked = Walked(step, state, state, vectors=given)
        else:
            frozen = isinstance(step, Freeze)  # the other such step, a reload, gives a new layer, which is not
            walked = Walked(step, state, state)
        state = walked.after
        yield walked


def _batch(
    case: Case,
    convention: Convention,
    step: Batch,
    data: BatchData,
    golden: StepGolden,
    state: Statistics,
    frozen: bool,
) -> Walked:
    if not step.training or frozen:
        return Walked(step, state, state, data, golden.golden.inference(state, golden.dy), frozen=frozen)
    in_backward = convention.statistics_move == "backward"
    if step.shape[0] == 0 or (in_backward and step.dy is None):
        return Walked(step, state, state, data, golden.training or {})
    weights = weights_of(case.config, convention, state.updates)
    after, statistics = golden.golden.update(state, STABLE)
    return Walked(step, state, after, data, golden.training or {}, statistics, weights)
