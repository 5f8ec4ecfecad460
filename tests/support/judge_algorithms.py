"""Algorithms of `bn_conformance.algorithms` on the steps of a case, judged as the suite judges the case."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from tests.support.judge_layers import goldens
from tests.support.samples.sample import Sample

from bn_conformance.adapter import Convention
from bn_conformance.algorithms.algorithm import Algorithm
from bn_conformance.algorithms.outputs import outputs
from bn_conformance.cases.model import Batch, Case, has_data
from bn_conformance.cases.steps import type_of
from bn_conformance.judging.arrays import judge_as_asked
from bn_conformance.results.records import Quantity
from bn_reference.arithmetic.channels import channels_first
from bn_reference.definition.state import Statistics
from bn_reference.specification.grades import STABLE


def samples(case: Case) -> Iterator[tuple[Sample, Batch]]:
    """The steps of a case with data, each with the statistics set last (or those of a fresh layer)."""
    config, channels = case.config, case.config.num_channels
    state = np.zeros(channels), np.ones(channels)
    data = iter(goldens().data(case).batches)
    for step in case.steps:
        recipes = type_of(step).statistics(step)
        if recipes is not None:
            kept = (recipe.vector(channels, config.parameter_dtype) for recipe in recipes)
            mean, variance = (part.astype(np.float64) for part in kept)
            state = mean, variance
        if has_data(step):
            tensors = next(data)
            x = channels_first(tensors.x, config.channel_axis).astype(np.float64)
            dy = x * 0 if tensors.dy is None else channels_first(tensors.dy, config.channel_axis).astype(np.float64)
            gamma, beta = tensors.gamma, tensors.beta
            assert gamma is not None
            assert beta is not None
            assert config.eps is not None
            yield (
                Sample(
                    name=case.id,
                    dtype=config.dtype,
                    parameter_dtype=config.parameter_dtype,
                    eps=config.eps,
                    x=x,
                    dy=dy,
                    gamma=gamma.astype(np.float64),
                    beta=beta.astype(np.float64),
                    running_mean=state[0],
                    running_variance=state[1],
                    exact_statistics=case.exact_statistics,
                ),
                step,
            )


def judged(case: Case, algorithm: Algorithm, unbiased: bool = True) -> Iterator[Quantity]:
    """What the case's judge says of an algorithm; the case has at most one training step."""
    convention = Convention(running_variance="unbiased" if unbiased else "biased")
    for sample, step in samples(case):
        golden, dy = sample.golden(convention), sample.dy_quad if step.dy is not None else None
        got = outputs(algorithm, sample, unbiased=unbiased)
        if step.training:
            expected = golden.training(dy) | golden.update(sample.statistics, STABLE)[1]
        else:
            given = Statistics.known(sample.running_mean, sample.running_variance)
            expected = {f"inference_{name}": part for name, part in golden.inference(given, dy).items()}
        for name, part in expected.items():
            if name.removeprefix("inference_") in case.judges:
                yield judge_as_asked(case, name, part, got[name], 0, case.clauses)
