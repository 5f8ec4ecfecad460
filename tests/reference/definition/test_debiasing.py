"""Debiased running averages: their weights, and whether a float computation of them stays inside its bound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flint import fmpq
from tests.support.figures import Figures
from tests.support.judge_samples import ratio
from tests.support.oracle import Running, decoded, upper
from tests.support.samples.random_samples import random_sample

from bn_reference.definition.running import weights_of
from bn_reference.definition.state import Statistics
from bn_reference.specification.config import CUMULATIVE, LayerConfig
from bn_reference.specification.convention import CHOICES, Convention, Standing
from bn_reference.specification.grades import STABLE, TIGHT

MOMENTA: tuple[Any, ...] = (0.1, 0.25, 0.01, 0.001, 1.0, 1e-6)


def config(momentum: Any) -> LayerConfig:
    return LayerConfig(num_channels=1, momentum=momentum)


@pytest.mark.parametrize("debiasing", CHOICES["debiasing"])
@pytest.mark.parametrize("weighs", ["new", "old"])
@pytest.mark.parametrize("momentum", MOMENTA)
def test_weights_agree_with_the_oracle(debiasing: str, weighs: str, momentum: float) -> None:
    for kept in ("float32", "float64"):
        convention = Convention(debiasing=debiasing, momentum_weighs=weighs, momentum_dtype=kept)  # type: ignore[arg-type]
        oracle = Running(momentum=momentum, weighs_old=weighs == "old", hyperparameters=kept, debiasing=debiasing)
        for updates in (0, 1, 2, 3, 10, 99, 1000):
            weights = weights_of(config(momentum), convention, updates)
            for got, right in zip((weights.old, weights.new), oracle.weights(updates), strict=True):
                assert upper(decoded(np.asarray(got))[0] - right) <= upper(right) / 10**30
                assert (not right) == (not got)


def test_a_zero_debiased_average_is_the_hidden_one_over_its_weight() -> None:
    """The recursion of the values against hidden = keep hidden + (1 - keep) batch, started at 0, in rationals."""
    convention, keep = Convention(debiasing="zero-debias", momentum_weighs="old"), fmpq(3, 4)
    hidden, shown = fmpq(0), fmpq(1)  # the initial value is 1, and goes
    for step in range(12):
        batch = fmpq(step * step - 7, 3)
        hidden = keep * hidden + (1 - keep) * batch
        weights = weights_of(config(0.25), convention, step)
        shown = decoded(np.asarray(weights.old))[0] * shown + decoded(np.asarray(weights.new))[0] * batch
        assert upper(shown - hidden / (1 - keep ** (step + 1))) < fmpq(1) / 10**30


@pytest.mark.parametrize("debiasing", ["zero-debias", "first-batch"])
def test_the_first_batch_is_all_there_is_after_one_step(debiasing: str) -> None:
    weights = weights_of(config(0.1), Convention(debiasing=debiasing), 0)  # type: ignore[arg-type]
    assert (float(weights.old), float(weights.new)) == (0.0, 1.0)


@pytest.mark.parametrize("debiasing", CHOICES["debiasing"])
@pytest.mark.parametrize("updates", [0, 1, 7])
def test_a_cumulative_average_is_the_same_under_each(debiasing: str, updates: int) -> None:
    convention = Convention(debiasing=debiasing)  # type: ignore[arg-type]
    assert weights_of(config(CUMULATIVE), convention, updates) == weights_of(config(CUMULATIVE), Convention(), updates)


def test_with_momentum_0_a_zero_debiased_average_keeps_its_values() -> None:
    weights = weights_of(config(0.0), Convention(debiasing="zero-debias"), 5)
    assert (float(weights.old), float(weights.new)) == (1.0, 0.0)


def test_only_the_average_whose_first_batch_dominates_is_nonstandard() -> None:
    odd = [value for value, choice in CHOICES["debiasing"].items() if choice.standing is Standing.NONSTANDARD]
    assert odd == ["first-batch"]
    assert "debiasing" in Convention(debiasing="first-batch").nonstandard()
    with pytest.raises(ValueError, match=r"^debiasing is 'from-one'"):
        Convention(debiasing="from-one")  # type: ignore[arg-type]


def power_of(how: str, keep: Any, steps: int) -> Any:
    """keep**t in the format of keep, in sound ways, that of Haiku among them."""
    kind = type(keep)
    if how == "multiplied":
        product = kind(1)
        for _ in range(steps):
            product = kind(product * keep)
        return product
    if how == "jax":
        import jax.numpy as jnp

        return kind(jnp.power(keep, jnp.asarray(steps, jnp.int32)))
    if how == "exponential":
        return np.exp(kind(steps) * np.log(keep))
    return np.power(keep, kind(steps))


@pytest.mark.parametrize(
    "how", ["power", "exponential", "multiplied", pytest.param("jax", marks=pytest.mark.framework)]
)
@pytest.mark.parametrize("keep", [0.75, 0.9, 0.99, 0.999])
def test_a_float32_debiased_average_stays_tight_along_two_hundred_steps(
    how: str, keep: float, figures: Figures
) -> None:
    """As Haiku computes it: hidden * decay + value * (1 - decay), over 1 - decay**t, all in float32."""
    f32 = np.float32
    convention = Convention(
        debiasing="zero-debias", momentum_weighs="old", momentum_dtype="float32", running_variance="biased"
    )
    decay, hidden, shown = f32(keep), [np.zeros(4, f32)] * 2, [np.zeros(4, f32)] * 2
    state, largest = Statistics.known(np.zeros(4), np.zeros(4)), {"local": 0.0, "carried": 0.0}
    for step in range(200):
        sample = random_sample(step, "float32", count=16, offset=2.0, scale=1.0, eps=2.0**-10, kinds=("normal",))
        golden = sample.golden(convention, 1.0 - keep)
        x = sample.x.astype(f32)
        batch = [x.mean(axis=1), ((x - x.mean(axis=1, keepdims=True)) ** 2).mean(axis=1)]
        hidden = [old * decay + value * (f32(1) - decay) for old, value in zip(hidden, batch, strict=True)]
        before = Statistics.known(shown[0], shown[1], updates=step)
        shown = [value / (f32(1) - power_of(how, decay, step + 1)) for value in hidden]
        assert shown[0].dtype == f32
        state, carried = golden.update(state, TIGHT)
        _, local = golden.update(before, TIGHT)
        for name, got in zip(("running_mean", "running_var"), shown, strict=True):
            largest["local"] = max(largest["local"], ratio(local[name], got, TIGHT))
            largest["carried"] = max(largest["carried"], ratio(carried[name], got, TIGHT))
        assert max(largest.values()) <= 1.0, f"step {step}: {largest}"
    shown_figures = ", ".join(f"{what} {value:.2f}" for what, value in largest.items())
    figures(f"zero-debias, keep {keep}, {how}: error / bound {shown_figures}")


@pytest.mark.parametrize("momentum", [0.25, 0.1, 0.01])
def test_the_wrong_debiasing_stands_far_outside(momentum: float, figures: Figures) -> None:
    """Each convention's first, second and third step judged under each other one, from the same state before it."""
    for right in CHOICES["debiasing"]:
        for wrong in CHOICES["debiasing"]:
            if right == wrong:
                continue
            power = 0.0
            for step in range(3):
                sample = random_sample(step, "float32", count=16, offset=2.0, scale=1.5, kinds=("normal",))
                before = Statistics.known(sample.running_mean, sample.running_variance, updates=step)
                judged, deviant = (
                    sample.golden(Convention(debiasing=name), momentum).update(before, STABLE)
                    for name in (right, wrong)
                )
                got = np.asarray(deviant[0].mean, np.float64)
                power = max(power, ratio(judged[1]["running_mean"], got, STABLE))
            figures(f"debiasing, momentum {momentum}: {wrong} judged as {right}: power {power:.0f}")
            assert power > 30.0
