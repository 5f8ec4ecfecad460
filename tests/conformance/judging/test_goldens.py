"""Goldens of cases: what cases share is computed once, and only that."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bn_conformance.adapter import Convention, LayerConfig
from bn_conformance.catalogue import all_cases
from bn_conformance.judging.goldens import Goldens, StepGolden
from bn_reference.definition.state import Statistics
from bn_reference.specification.grades import TIGHT

CASE = all_cases()["grad/nchw/float32/random"]


def steps_under(config: LayerConfig, convention: Convention | None = None) -> tuple[StepGolden, StepGolden]:
    """The first steps of a case, and of one like it with another configuration or convention, by one cache."""
    goldens = Goldens()
    other = replace(CASE, id="grad/nchw/float32/other", config=config)
    return goldens.steps(CASE, Convention())[0], goldens.steps(other, convention or Convention())[0]


def moved(step: StepGolden) -> np.ndarray:
    channels = step.golden.x.shape[0]
    statistics = Statistics.known(np.zeros(channels), np.ones(channels))
    return step.golden.update(statistics, TIGHT)[0].mean.astype(np.float64)


def test_cases_that_differ_in_momentum_share_a_batch_and_move_their_own_statistics() -> None:
    one, other = steps_under(replace(CASE.config, momentum=0.5))
    assert one.training is not None
    assert other.training is one.training
    assert (other.golden.config.momentum, one.golden.config.momentum) == (0.5, CASE.config.momentum)
    assert np.array_equal(moved(other), 2.0 * moved(one))


def test_conventions_with_one_eps_share_a_batch_and_keep_their_own_choices() -> None:
    one, other = steps_under(CASE.config, Convention(running_variance="biased"))
    assert other.training is one.training
    assert other.golden.convention.running_variance == "biased"


@pytest.mark.parametrize("change", [{"eps": 2.0**-4}, {"gamma": False}, {"parameter_dtype": "float64"}])
def test_cases_that_differ_in_what_decides_a_batch_share_nothing(change: dict[str, object]) -> None:
    one, other = steps_under(replace(CASE.config, **change))  # type: ignore[arg-type]
    assert one.training is not None
    assert other.training is not None
    assert other.training is not one.training
    assert not np.array_equal(one.training["y"].bound(TIGHT)[0], other.training["y"].bound(TIGHT)[0])


def test_steps_that_differ_in_dy_alone_share_a_forward_and_no_gradients() -> None:
    goldens = Goldens()
    (batch,) = CASE.batches
    assert batch.dy is not None
    other = replace(CASE, id="other", steps=(replace(batch, dy=replace(batch.dy, seed=1)),))
    one, two = (goldens.steps(case, Convention())[0] for case in (CASE, other))
    assert one.training is not None
    assert two.training is not None
    assert one.golden.nodes is two.golden.nodes
    assert not np.array_equal(one.training["dx"].values, two.training["dx"].values)
