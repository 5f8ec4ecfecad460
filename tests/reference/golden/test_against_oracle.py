"""The binary128 reference against an independent exact oracle, over every family of data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from flint import fmpq
from tests.support.figures import Figures
from tests.support.oracle import (
    Channel,
    Running,
    decoded,
    differences,
    exact,
    stored,
    upper,
)
from tests.support.oracle_errors import (
    U,
    Worst,
    absolutes,
    channels_of,
    dgamma_allowed,
    dx_allowed,
    statistic_errors,
    total,
    y_allowed,
)
from tests.support.samples.families import FAMILIES
from tests.support.samples.sample import Sample

from bn_conformance.cases.recipes import dtype_of
from bn_reference.arithmetic.quad import to_quad
from bn_reference.definition.running import eps_of
from bn_reference.definition.state import Statistics
from bn_reference.golden.expected import Expected
from bn_reference.golden.golden import Golden
from bn_reference.specification.config import CUMULATIVE, LayerConfig
from bn_reference.specification.convention import Convention
from bn_reference.specification.grades import STABLE


def expected_of(sample: Sample, golden: Golden, inference: bool) -> dict[str, Expected]:
    """The golden results of one forward and backward."""
    return golden.inference(sample.statistics, sample.dy_quad) if inference else golden.training(sample.dy_quad)


@pytest.mark.parametrize("family", FAMILIES)
def test_training_and_inference_agree_with_the_oracle(family: str, figures: Figures) -> None:
    worst = {name: Worst() for name in ("y", "dx", "dgamma", "dbeta")}
    for sample in FAMILIES[family]:
        golden = sample.golden()
        for inference in (False, True):
            expected = expected_of(sample, golden, inference)
            values = {name: expected[name].values for name in worst}
            for row, (channel, dy) in enumerate(channels_of(sample, stored(sample.eps, "float64"), inference)):
                if not channel.variance + channel.eps:
                    assert not np.isfinite(values["y"][row]).any()
                    continue
                where = f"{sample.name}/{sample.dtype}/n={sample.count}/eps={sample.eps}/channel {row}"
                dbeta_allowed = channel.count * U * total(absolutes(dy))
                worst["y"].take(f"{where} y", decoded(values["y"][row]), channel.y, y_allowed(channel))
                worst["dx"].take(f"{where} dx", decoded(values["dx"][row]), channel.dx(dy), dx_allowed(channel, dy))
                dgamma = decoded(values["dgamma"][row : row + 1])
                worst["dgamma"].take(f"{where} dgamma", dgamma, [channel.dgamma(dy)], [dgamma_allowed(channel, dy)])
                dbeta = decoded(values["dbeta"][row : row + 1])
                worst["dbeta"].take(f"{where} dbeta", dbeta, [channel.dbeta(dy)], [dbeta_allowed])
    for name, worst_error in worst.items():
        assert worst_error.elements
        figures(f"{family:20s} {name:7s} {worst_error}")


Choices = tuple[Convention, Running]


def choices() -> Iterator[Choices]:
    """Every way to move running statistics, for the reference and for the oracle."""
    for unbiased, weighs_old, narrow, inside in product((False, True), repeat=4):
        convention = Convention(
            running_variance="unbiased" if unbiased else "biased",
            momentum_weighs="old" if weighs_old else "new",
            eps_dtype="float32" if narrow else "float64",
            momentum_dtype="float32" if narrow else "float64",
            eps_in_running_variance=inside,
        )
        kept = "float32" if narrow else "float64"
        yield convention, Running(unbiased=unbiased, weighs_old=weighs_old, hyperparameters=kept, with_eps=inside)
    new_weight = Running(weighs_old=False, hyperparameters="float32")
    yield Convention(momentum_weighs="old", momentum_dtype="float32-new", eps_dtype="float32"), new_weight


CONVENTIONS = tuple(choices())

MOMENTA: tuple[Any, ...] = (0.1, 0.25, 0.01, 0.0, 1.0, CUMULATIVE)


@pytest.mark.parametrize("family", FAMILIES)
def test_running_statistics_agree_with_the_oracle(family: str, figures: Figures) -> None:
    worst = Worst()
    for sample, (convention, running), momentum in product(FAMILIES[family], CONVENTIONS, MOMENTA):
        chosen = replace(running, momentum=None if momentum == CUMULATIVE else momentum)
        golden = sample.golden(convention, momentum)
        state = Statistics.known(sample.running_mean, sample.running_variance, updates=2)
        after, _ = golden.update(state, STABLE)
        means, variances = decoded(after.mean), decoded(after.variance)
        for row, (channel, _) in enumerate(channels_of(sample, stored(sample.eps, running.hyperparameters))):
            old = exact(sample.running_mean[row]), exact(sample.running_variance[row])
            mean, variance = chosen.after(*old, channel, updates_before=2)
            weight = chosen.weights(2)
            mean_error, _ = statistic_errors(channel)
            taken, where = chosen.batch_variance(channel), f"{sample.name}/{sample.dtype}/{convention}"
            paths = weight[0] * abs(old[0]) + weight[1] * abs(channel.mean)
            worst.take(f"{where} mean", [means[row]], [mean], [4 * U * paths + weight[1] * mean_error])
            paths = weight[0] * old[1] + weight[1] * taken
            allowed = (channel.count + 8) * U * paths + weight[1] * mean_error**2 * (1 + fmpq(1, channel.count))
            worst.take(f"{where} variance", [variances[row]], [variance], [allowed])
    assert worst.well_conditioned
    figures(f"{family:20s} running {worst}")


def test_eps_is_what_the_convention_keeps() -> None:
    sample = FAMILIES["offset-0"][0]
    changed = Sample(**(vars(sample) | {"eps": 1e-5}))
    kept32 = changed.golden(Convention(eps_dtype="float32")).eps
    kept64 = changed.golden(Convention(eps_dtype="float64")).eps
    assert decoded(np.asarray(kept32)) == [stored(1e-5, "float32")]
    assert decoded(np.asarray(kept64)) == [stored(1e-5, "float64")]
    assert kept32 != kept64


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("eps", [1e-5, 1e-7, 1e-8, 2.0**-25, 3 * 2.0**-25, 0.1, 0.0, 1e5])
def test_eps_in_the_format_of_x_is_the_nearest_number_of_that_format(dtype: str, eps: float) -> None:
    kept = eps_of(LayerConfig(num_channels=1, dtype=dtype, parameter_dtype=dtype, eps=eps), Convention(eps_dtype="x"))
    with np.errstate(over="ignore"):
        assert float(kept) == float(np.float64(eps).astype(dtype_of(dtype)))


def test_y_with_eps_in_the_format_of_x_agrees_with_the_oracle() -> None:
    worst = Worst()
    for sample in FAMILIES["offset-0"]:
        changed = Sample(**(vars(sample) | {"eps": 1e-5}))
        in_x = float(np.float64(1e-5).astype(dtype_of(changed.dtype)))
        y = changed.golden(Convention(eps_dtype="x")).training(None)["y"].values
        for row, (channel, _) in enumerate(channels_of(changed, exact(in_x))):
            worst.take("y", decoded(y[row]), channel.y, y_allowed(channel))
    assert worst.elements


def test_inference_without_eps_divides_by_the_root_of_the_running_variance_alone() -> None:
    convention = Convention(eps_in_running_variance=True, eps_in_inference=False)
    worst = Worst()
    for sample in FAMILIES["offset-1"]:
        y = sample.golden(convention).inference(sample.statistics, None)["y"].values
        for row, (channel, _) in enumerate(channels_of(sample, fmpq(0), inference=True)):
            worst.take("y", decoded(y[row]), channel.y, y_allowed(channel))
    assert worst.well_conditioned


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_agree_with_central_differences(family: str, figures: Figures) -> None:
    """Against the golden, and so that the oracle itself is held by something, against its own Jacobian."""
    worst, jacobian = Worst(), 0.0
    for sample in FAMILIES[family]:
        if sample.count > 32 or sample.eps == 0.0:
            continue
        golden = sample.golden()
        for inference in (False, True):
            expected = expected_of(sample, golden, inference)
            for row, (channel, dy) in enumerate(channels_of(sample, stored(sample.eps, "float64"), inference)):
                apart = differences(channel, dy)
                own = [*channel.dx(dy), channel.dgamma(dy), channel.dbeta(dy)]
                got = [
                    *decoded(expected["dx"].values[row]),
                    *decoded(expected["dgamma"].values[row : row + 1]),
                    *decoded(expected["dbeta"].values[row : row + 1]),
                ]
                allowed = [
                    *dx_allowed(channel, dy),
                    dgamma_allowed(channel, dy),
                    channel.count * U * total(absolutes(dy)),
                ]
                quotients = [*apart.dx, apart.dgamma, apart.dbeta]
                worst.take(
                    f"{sample.name}/{sample.dtype}", got, quotients, [limit * fmpq(101, 100) for limit in allowed]
                )
                for quotient, right, limit in zip(quotients, own, allowed, strict=True):
                    if upper(limit):
                        jacobian = max(jacobian, float(upper(quotient - right) / upper(limit)))
    assert worst.elements
    assert jacobian < 1e-9
    figures(f"{family:20s} differ. {worst}; from the Jacobian {jacobian:.0e} of the allowed")


def test_the_oracle_itself_gives_known_numbers() -> None:
    """x = 1, 3 with eps = 3: mean 2, variance 1, deviation 2, y = -+1/2; dx from the definition by hand."""
    channel = Channel([fmpq(1), fmpq(3)], gamma=fmpq(2), beta=fmpq(5), eps=fmpq(3))
    assert (channel.mean, channel.variance) == (2, 1)
    assert [float(value) for value in channel.y] == [4.0, 6.0]
    dy = [fmpq(1), fmpq(0)]
    # dy - mean(dy) = (1/2, -1/2); normalised = (-1/2, 1/2); mean(dy * normalised) = -1/4; factor 2 / 2.
    assert [float(value) for value in channel.dx(dy)] == [0.5 - 0.125, -0.5 + 0.125]
    assert float(channel.dgamma(dy)) == -0.5
    assert Running(momentum=0.25).after(fmpq(0), fmpq(1), channel) == (fmpq(1, 2), fmpq(5, 4))
    assert Running(momentum=0.25, unbiased=False).after(fmpq(0), fmpq(1), channel) == (fmpq(1, 2), fmpq(1))
    assert decoded(to_quad(np.array([0.1, -0.0, 2.0**-1074]))) == [exact(0.1), 0, fmpq(1) / fmpq(2) ** 1074]
