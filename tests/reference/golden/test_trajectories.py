"""Errors of running statistics carried along a hundred steps, and what they leave to be seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from tests.support.figures import Figures
from tests.support.judge_samples import ratio
from tests.support.samples.random_samples import random_sample
from tests.support.samples.sample import Sample

from bn_conformance.algorithms.algorithm import ALGORITHMS
from bn_conformance.algorithms.outputs import outputs
from bn_reference.arithmetic.quad import to_quad
from bn_reference.definition.state import Statistics
from bn_reference.golden.golden import Golden
from bn_reference.specification.convention import Convention
from bn_reference.specification.grades import STABLE

STEPS = 100
NAMES = ("two-pass, 8 lanes", "two-pass, 16 lanes, shuffled", "Welford", "folded")


def batches(dtype: str, count: int, offset: float) -> Iterator[Sample]:
    """A hundred batches through one layer: the same gamma, beta and eps, fresh data."""
    first = random_sample(0, dtype, count=count, offset=offset, scale=1.0, eps=2.0**-10, kinds=("normal",))
    for seed in range(STEPS):
        sample = random_sample(seed, dtype, count=count, offset=offset, scale=1.0, eps=2.0**-10, kinds=("normal",))
        yield replace(sample, gamma=first.gamma, beta=first.beta)


def golden_of(sample: Sample, unbiased: bool, momentum: float) -> Golden:
    return sample.golden(Convention(running_variance="unbiased" if unbiased else "biased"), momentum)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("dtype", "offset"), [("float32", 0.5), ("float32", 300.0), ("float64", 1e4), ("bfloat16", 3.0)]
)
@pytest.mark.parametrize("momentum", [0.1, 0.01])
def test_a_sound_layer_stays_inside_at_every_step(
    name: str, dtype: str, offset: float, momentum: float, figures: Figures
) -> None:
    """Local error from the observed state, and the trajectory with carried errors, in training and in inference."""
    algorithm, largest = ALGORITHMS[name], {"local": 0.0, "carried": 0.0, "y": 0.0}
    state = Statistics.initial(4, Convention())
    mean, variance = np.zeros(4), np.ones(4)
    for step, sample in enumerate(batches(dtype, 32, offset)):
        golden = golden_of(sample, True, momentum)
        here = replace(sample, running_mean=mean, running_variance=variance)
        results = outputs(algorithm, here, momentum)
        _, local = golden.update(Statistics.known(mean, variance, step), STABLE)
        y = golden.inference(state, None)["y"]
        state, carried = golden.update(state, STABLE)
        for quantity in ("running_mean", "running_var"):
            largest["local"] = max(largest["local"], ratio(local[quantity], results[quantity], STABLE))
            largest["carried"] = max(largest["carried"], ratio(carried[quantity], results[quantity], STABLE))
        largest["y"] = max(largest["y"], ratio(y, results["inference_y"], STABLE))
        assert max(largest.values()) <= 1.0, f"step {step}: {largest}"
        mean, variance = (results[quantity].astype(np.float64) for quantity in ("running_mean", "running_var"))
    assert state.updates == STEPS
    shown = ", ".join(f"{what} {value:.2f}" for what, value in largest.items())
    figures(f"trajectory, {name}, {dtype}, mean {offset:g}, momentum {momentum}: error / bound {shown}")


@pytest.mark.parametrize("count", [4, 16, 64])
@pytest.mark.parametrize("momentum", [0.1, 0.01])
def test_the_wrong_estimator_stands_far_outside_all_along(count: int, momentum: float, figures: Figures) -> None:
    """float32, mean and deviation near 1: biased for unbiased is seen at every step, also in what inference makes."""
    right, wrong = (Statistics.initial(4, Convention()) for _ in range(2))
    power = {"local": np.inf, "carried": np.inf, "y at the end": np.inf}
    for step, sample in enumerate(batches("float32", count, 1.0)):
        golden, other = golden_of(sample, True, momentum), golden_of(sample, False, momentum)
        _, local = golden.update(Statistics.known(wrong.mean, wrong.variance, step), STABLE)
        right, carried = golden.update(right, STABLE)
        wrong, _ = other.update(wrong, STABLE)
        got = np.asarray(wrong.variance, np.float64)
        power["local"] = min(power["local"], ratio(local["running_var"], got, STABLE))
        power["carried"] = min(power["carried"], ratio(carried["running_var"], got, STABLE))
    known = Statistics.known(wrong.mean, wrong.variance)
    deviant = np.asarray(golden.inference(known, None)["y"].values, np.float64)
    power["y at the end"] = ratio(golden.inference(right, None)["y"], deviant, STABLE)
    figures(
        f"trajectory, n = {count}, momentum {momentum}: power " + ", ".join(f"{k} {v:.0f}" for k, v in power.items())
    )
    assert min(power.values()) >= 10.0, power


def test_carried_errors_settle_and_never_blow_up() -> None:
    """E <- (1 - w) E + e has the limit e / w."""
    state, errors = Statistics.initial(4, Convention()), []
    for sample in batches("float32", 16, 2.0):
        state, _ = golden_of(sample, True, 0.1).update(state, STABLE)
        errors.append(float(np.max(np.asarray(state.variance_error, np.float64))))
    assert errors[0] < errors[10]
    assert max(errors[50:]) < 3 * max(errors[20:50])
    assert max(errors) < 1e-3


def test_errors_of_a_forgotten_state_are_forgotten_with_it() -> None:
    """With momentum 1 nothing of the state before is left, so neither are its errors."""
    sample = random_sample(1, "float32", count=8, offset=1.0, scale=1.0, kinds=("normal",))
    spoilt = replace(sample.statistics, mean_error=to_quad(np.full(4, 1e30)), variance_error=to_quad(np.full(4, 1e30)))
    after, _ = sample.golden(momentum=1.0).update(spoilt, STABLE)
    assert np.all(np.asarray(after.mean_error, np.float64) < 1e-3)
    assert np.all(np.asarray(after.variance_error, np.float64) < 1e-3)
