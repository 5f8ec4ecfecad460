"""Masks: statistics over counted positions, in the graph, against the oracle, and in the bounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.support.figures import Figures
from tests.support.judge_samples import ratio, worst
from tests.support.oracle import Channel, Running, decoded, differences, exact, exact_row, stored
from tests.support.oracle_errors import U, Worst, absolutes, total
from tests.support.samples.families import FAMILIES
from tests.support.samples.random_samples import random_sample
from tests.support.samples.sample import Sample

from bn_conformance.cases.recipes import dtype_of
from bn_reference.arithmetic.quad import to_float64, to_quad
from bn_reference.definition import graph
from bn_reference.definition.state import GammaBeta, Statistics
from bn_reference.golden.golden import Golden
from bn_reference.specification.convention import Convention
from bn_reference.specification.grades import STABLE, TIGHT, Grade

Mask = Any


def mask_of(sample: Sample, seed: int, share: float = 0.6) -> Mask:
    """A random mask with a counted and an uncounted position at least (where there are two)."""
    mask = np.random.default_rng([19, seed]).random(sample.count) < share
    mask[0] = True
    if sample.count > 1:
        mask[-1] = False
    return mask


def golden_of(sample: Sample, mask: Mask, unbiased: bool = True) -> Golden:
    convention = Convention(running_variance="unbiased" if unbiased else "biased")
    parameters = GammaBeta(to_quad(sample.gamma), to_quad(sample.beta))
    return Golden(sample.config(), convention, to_quad(sample.x), parameters, mask=mask)


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_the_two_ways_of_writing_the_backward_agree(share: float) -> None:
    for seed in range(40):
        sample = random_sample(seed, "float64", largest_count=40)
        mask = None if share == 1.0 else mask_of(sample, seed, share)
        gamma = to_quad(sample.gamma)
        nodes = graph.forward(to_quad(sample.x), gamma, None, to_quad(sample.eps), mask)
        staged, closed = (
            backward(sample.dy_quad, nodes, gamma, mask) for backward in (graph.backward, graph.backward_closed_form)
        )
        bounds = golden_of(sample, mask).training(sample.dy_quad)["dx"].bound(TIGHT).allowed
        assert np.all(np.abs(staged.dx - closed.dx) <= bounds * to_quad(2.0**-55)), sample.name


def allowed_of(channel: Channel, dy: list[Any]) -> tuple[list[Any], list[Any], Any]:
    """Errors allowed at u = 2**-113 to y, dx and dgamma; every term with its absolute value."""
    counted = [value for place, value in enumerate(channel.x) if channel.counted(place)]
    mean, root, inverse = U * total(absolutes(counted)), (channel.count + 8) * U, 1 / channel.deviation
    relative, shift = root + (channel.places + 8) * U, mean * inverse
    scale, sizes = abs(channel.gamma) * inverse, absolutes(channel.normalised)
    y = [scale * mean + relative * abs(channel.gamma) * size + U * abs(channel.beta) for size in sizes]
    products = total([abs(value) * (size + 1) for value, size in zip(dy, sizes, strict=True)])
    magnitude = total(absolutes(dy))
    dx = []
    for place, (value, size) in enumerate(zip(dy, sizes, strict=True)):
        common = (magnitude + size * products) / channel.count if channel.counted(place) else 0
        shifted = (products + size * magnitude) / channel.count if channel.counted(place) else 0
        dx.append(scale * (3 * relative * (abs(value) + common) + 2 * shift * shifted))
    return y, dx, 2 * relative * products + shift * magnitude


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "one-value"])
def test_masked_goldens_agree_with_the_oracle_and_its_differences(family: str, figures: Figures) -> None:
    worst, apart = Worst(), Worst()
    for seed, sample in enumerate(FAMILIES[family]):
        if sample.eps == 0.0 or sample.count > 32:
            continue
        mask = mask_of(sample, seed)
        golden, unbiased = golden_of(sample, mask, seed % 2 == 0), seed % 2 == 0
        expected = golden.training(sample.dy_quad)
        after, _ = golden.update(sample.statistics, STABLE)
        for row in range(sample.channels):
            gamma, beta = exact(sample.gamma[row]), exact(sample.beta[row])
            channel = Channel(exact_row(sample.x[row]), gamma, beta, stored(sample.eps, "float64"), counts=mask)
            dy = exact_row(sample.dy[row])
            y, dx, dgamma = allowed_of(channel, dy)
            got = {name: decoded(expected[name].values[row : row + 1]) for name in ("y", "dx", "dgamma", "dbeta")}
            dbeta = [channel.places * U * total(absolutes(dy))]
            where = f"{sample.name}/{sample.dtype}/channel {row}"
            worst.take(f"{where} y", got["y"], channel.y, y)
            worst.take(f"{where} dx", got["dx"], channel.dx(dy), dx)
            worst.take(f"{where} dgamma", got["dgamma"], [channel.dgamma(dy)], [dgamma])
            worst.take(f"{where} dbeta", got["dbeta"], [channel.dbeta(dy)], dbeta)
            if channel.places <= 9:
                apart.take(f"{where} differences", got["dx"], differences(channel, dy).dx, [2 * v for v in dx])
            old = exact(sample.running_mean[row]), exact(sample.running_variance[row])
            mean, variance = Running(momentum=0.25, unbiased=unbiased).after(*old, channel)
            mean_error = U * total(absolutes(list(channel.x)))
            near = 8 * U * (abs(old[0]) + total(absolutes(list(channel.x)))) + mean_error
            worst.take(f"{where} mean", decoded(after.mean[row : row + 1]), [mean], [near])
            allowed = (channel.count + 16) * U * (old[1] + 2 * channel.variance) + 4 * mean_error**2
            worst.take(f"{where} variance", decoded(after.variance[row : row + 1]), [variance], [allowed])
    assert worst.elements
    figures(f"{family:20s} masked  {worst}")


def test_an_all_true_mask_gives_what_no_mask_gives() -> None:
    for seed in range(20):
        sample = random_sample(seed, "float32", largest_count=40)
        masked, plain = (golden_of(sample, mask) for mask in (np.ones(sample.count, np.bool_), None))
        first = masked.training(sample.dy_quad) | masked.update(sample.statistics, STABLE)[1]
        then = plain.training(sample.dy_quad) | plain.update(sample.statistics, STABLE)[1]
        for name, expected in first.items():
            assert np.array_equal(expected.rounded(np.dtype(np.float64)), then[name].rounded(np.dtype(np.float64)))
            own, other = (to_float64(golden.bound(STABLE).allowed) for golden in (expected, then[name]))
            assert np.allclose(own, other, rtol=1e-12, atol=0.0), name


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30, 0.0])
def test_uncounted_values_change_no_statistic_and_no_other_output(value: float) -> None:
    sample = random_sample(4, "float32", count=12, offset=1.0, scale=1.0, kinds=("normal",))
    mask = mask_of(sample, 4)
    spoilt = replace(sample, x=np.where(mask, sample.x, value))
    first, then = golden_of(sample, mask), golden_of(spoilt, mask)
    updates = (golden.update(sample.statistics, STABLE)[1].values() for golden in (first, then))
    for one, other in zip(*updates, strict=True):
        assert to_float64(one.values).tolist() == to_float64(other.values).tolist()
        assert to_float64(one.bound(STABLE).allowed).tolist() == to_float64(other.bound(STABLE).allowed).tolist()
    before, after = (to_float64(golden.training(None)["y"].values) for golden in (first, then))
    assert np.array_equal(before[:, mask], after[:, mask])
    assert before.shape == after.shape == sample.x.shape


def test_a_mask_that_counts_nothing_leaves_the_statistics_and_judges_no_output() -> None:
    sample = random_sample(4, "float32", count=12)
    golden = golden_of(sample, np.zeros(12, np.bool_))
    after, expected = golden.update(sample.statistics, STABLE)
    assert after is not None
    assert to_float64(after.mean).tolist() == sample.running_mean.tolist()
    assert to_float64(after.variance).tolist() == sample.running_variance.tolist()
    assert after.updates == sample.statistics.updates
    assert not to_float64(expected["running_mean"].bound(STABLE).allowed).any()
    for quantity in golden.training(sample.dy_quad).values():
        assert not quantity.bound(STABLE).meaningful.any()


def test_a_mask_changes_nothing_in_inference() -> None:
    sample = random_sample(4, "float32", count=12)
    for name, expected in golden_of(sample, mask_of(sample, 4)).inference(sample.statistics, sample.dy_quad).items():
        other = golden_of(sample, None).inference(sample.statistics, sample.dy_quad)[name]
        assert np.array_equal(to_float64(expected.values), to_float64(other.values))


@pytest.mark.parametrize("mask", [np.ones(5, np.bool_), np.ones(12), np.ones((1, 12), np.bool_)])
def test_a_mask_of_another_shape_or_format_is_refused(mask: Mask) -> None:
    with pytest.raises(ValueError, match=r"^mask is .*; give bool of shape \(12,\)"):
        golden_of(random_sample(4, "float32", count=12), mask)


# --- bounds ---------------------------------------------------------------------------------------------------------


def computed(sample: Sample, mask: Mask, dtype: Any, folded: bool = False, **wrong: bool) -> dict[str, Any]:
    """Two passes over counted values in one format; `wrong` turns one decision off."""
    x, dy, gamma, beta = (
        values.astype(dtype) for values in (sample.x, sample.dy, sample.gamma[:, None], sample.beta[:, None])
    )
    weights = np.ones_like(mask) if wrong.get("counting_all") else mask
    count = x.dtype.type(weights.sum())
    mean = np.where(weights, x, 0).sum(axis=1, keepdims=True) / count
    centred = x - mean
    variance = np.where(weights, centred * centred, 0).sum(axis=1, keepdims=True) / count
    inverse = 1 / np.sqrt(variance + x.dtype.type(sample.eps))
    normalised = centred * inverse
    dbeta, dgamma = dy.sum(axis=1, keepdims=True), (dy * normalised).sum(axis=1, keepdims=True)
    if wrong.get("gradients_of_counted"):
        dbeta = np.where(mask, dy, 0).sum(axis=1, keepdims=True)
    terms = (dbeta + normalised * dgamma) / count
    dx = gamma * inverse * (dy - (terms if wrong.get("terms_everywhere") else np.where(mask, terms, 0)))
    unbiased = variance * count / (count - 1 if count > 1 else 1)
    if wrong.get("bessel_of_all"):
        unbiased = variance * x.shape[1] / x.dtype.type(x.shape[1] - 1)
    quarter = x.dtype.type(0.25)
    old = sample.running_mean.astype(dtype), sample.running_variance.astype(dtype)
    y = gamma * normalised + beta
    if folded:
        slope = gamma * inverse
        y = x * slope + (beta - mean * slope)
    return {
        "y": np.where(mask, y, 0) if wrong.get("y_of_counted") else y,
        "dx": dx,
        "dgamma": dgamma[:, 0],
        "dbeta": dbeta[:, 0],
        "running_mean": (1 - quarter) * old[0] + quarter * mean[:, 0],
        "running_var": (1 - quarter) * old[1] + quarter * unbiased[:, 0],
    }


@pytest.mark.parametrize(("folded", "grade"), [(False, TIGHT), (True, STABLE)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_right_masked_algorithms_stay_within_their_grade(
    dtype: str, folded: bool, grade: Grade, figures: Figures
) -> None:
    table: dict[str, float] = {}
    for seed in range(250):
        sample = random_sample(seed, dtype, largest_count=200)
        mask = mask_of(sample, seed, (0.1, 0.5, 0.95)[seed % 3])
        golden = golden_of(sample, mask)
        expected = golden.training(sample.dy_quad) | golden.update(sample.statistics, TIGHT)[1]
        results = computed(sample, mask, dtype_of(dtype), folded)
        ratios = {name: ratio(expected[name], got, grade) for name, got in results.items()}
        assert max(ratios.values()) <= 1.0, f"{sample.name}: {ratios}"
        worst(table, ratios)
    shown = " ".join(f"{name} {value:.2g}" for name, value in table.items())
    figures(f"masked, {dtype}, {grade.level}, 250 cases: error / bound {shown}")


MISTAKES = {
    "counting_all": ("y", "running_mean", "running_var", "dx"),
    "terms_everywhere": ("dx",),
    "gradients_of_counted": ("dbeta", "dx"),
    "bessel_of_all": ("running_var",),
    "y_of_counted": ("y",),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("count", [6, 32])
def test_every_mistake_with_a_mask_stands_outside(mistake: str, count: int, figures: Figures) -> None:
    power = np.inf
    for seed in range(20):
        sample = random_sample(seed, "float32", count=count, offset=0.5, scale=1.0, eps=2.0**-6, kinds=("normal",))
        golden = golden_of(sample, mask := mask_of(sample, seed))
        if mask.sum() < 2:
            continue
        expected = golden.training(sample.dy_quad) | golden.update(sample.statistics, STABLE)[1]
        results = computed(sample, mask, np.float64, **{mistake: True})
        power = min([power, *(ratio(expected[name], results[name], STABLE) for name in MISTAKES[mistake])])
    figures(f"masked, n = {count}, {mistake}: power {power:.0f}")
    assert power > 30.0


def test_statistics_of_masked_batches_follow_one_another() -> None:
    """A state goes through a counting and an empty mask, and only the first moves it."""
    sample = random_sample(4, "float32", count=12)
    state = Statistics.initial(sample.channels, Convention())
    state, _ = golden_of(sample, mask_of(sample, 4)).update(state, STABLE)
    unmoved, _ = golden_of(sample, np.zeros(12, np.bool_)).update(state, STABLE)
    assert unmoved == state
    assert state.updates == 1
