"""Second-order gradients: two ways of writing them, the oracle, finite differences, and their error bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flint import fmpq
from tests.reference.conftest import Figures
from tests.reference.golden.test_against_oracle import (
    U,
    Worst,
    absolutes,
    channels_of,
    statistic_errors,
    total,
)
from tests.support.algorithms.second_order import (
    NAMES,
    SecondSample,
    closed_form,
    jax_autodiff,
    second_sample,
    staged,
    torch_autograd,
    torch_composite,
    with_upstream,
)
from tests.support.judge_samples import level, ratio, worst
from tests.support.oracle import Channel, Exact, decoded, exact, exact_row, stored, upper
from tests.support.oracle_second_order import Second, Upstream, second, second_differences
from tests.support.samples.families import FAMILIES

from bn_conformance.cases.recipes import dtype_of
from bn_reference.arithmetic.quad import QUAD, to_float64, to_quad
from bn_reference.definition import graph, second_order
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import GRADES, STABLE, TIGHT

Way = Callable[[SecondSample, Any, bool], dict[str, Any]]


# --- goldens --------------------------------------------------------------------------------------------------------


def second_allowed(channel: Channel, dy: list[Exact], up: Upstream) -> Second:
    """What a first-order analysis at u = 2**-113 allows the goldens, every term with its absolute value."""
    mean, root = statistic_errors(channel)
    count, inverse = channel.places, 1 / channel.deviation
    shift, weight = mean * inverse, abs(up.v_dgamma)
    factor, normalised = abs(channel.gamma) * inverse, absolutes(channel.normalised)
    relative = 6 * root + (2 * count + 20) * U

    def average(values: list[Any]) -> Any:
        return total(values) / count

    def both(extra: int) -> tuple[list[Any], Any, list[Any]]:
        """ds_dx, ds_dgamma and ds_ddy of absolute terms, the normalised values being that much larger."""
        sizes = [value + extra for value in normalised]
        along = [average([abs(a) * b for a, b in zip(rows, sizes, strict=True)]) for rows in (dy, up.v_dx)]
        terms = [
            [abs(a) + average(absolutes(list(rows))) + b * c for a, b in zip(rows, sizes, strict=True)]
            for rows, c in zip((dy, up.v_dx), along, strict=True)
        ]
        product = average([abs(a) * b for a, b in zip(up.v_dx, terms[0], strict=True)])
        ds_dx = [
            inverse * ((weight + factor * along[1]) * one + factor * (along[0] * other + size * product))
            for one, other, size in zip(*terms, sizes, strict=True)
        ]
        ds_ddy = [factor * one + weight * size + abs(up.v_dbeta) for one, size in zip(terms[1], sizes, strict=True)]
        return ds_dx, inverse * count * product, ds_ddy

    own, wide = both(0), both(1)
    if channel.given:
        shift, wide = fmpq(0), own
    common = average(own[0])

    def allowed(one: Any, other: Any) -> Any:
        return relative * one + 4 * shift * other

    return Second(
        [allowed(a + common, b) for a, b in zip(own[0], wide[0], strict=True)],
        allowed(own[1], wide[1]),
        [allowed(a, b) for a, b in zip(own[2], wide[2], strict=True)],
    )


def flat(values: Second) -> list[Any]:
    return [*values.ds_dx, values.ds_dgamma, *values.ds_ddy]


def golden_row(expected: dict[str, Expected], row: int) -> list[Exact]:
    return [value for name in NAMES for value in decoded(expected[name].values[row : row + 1])]


@pytest.mark.parametrize("inference", [False, True], ids=["training", "inference"])
@pytest.mark.parametrize("family", FAMILIES)
def test_goldens_agree_with_the_hessian_of_the_definition_and_with_differences(
    family: str, inference: bool, figures: Figures
) -> None:
    seen, apart = Worst(), 0.0
    for seed, base in enumerate(FAMILIES[family]):
        if base.count > 32 or base.eps == 0.0:
            continue
        sample = with_upstream(base, seed)
        expected = sample.expected(inference)
        for row, (channel, dy) in enumerate(channels_of(base, stored(base.eps, "float64"), inference)):
            up = Upstream(exact_row(sample.v_dx[row]), exact(sample.v_dgamma[row]), exact(sample.v_dbeta[row]))
            allowed, right = second_allowed(channel, dy, up), second(channel, dy, up)
            where = f"{base.name}/{base.dtype}/n={base.count}/channel {row}"
            seen.take(where, golden_row(expected, row), flat(right), flat(allowed))
            if base.count <= 9 and row == 0:
                quotients = second_differences(channel, dy, up)
                for one, other, limit in zip(flat(quotients), flat(right), flat(allowed), strict=True):
                    if upper(limit):
                        apart = max(apart, float(upper(one - other) / upper(limit)))
    assert seen.elements
    assert apart < 1e-9
    mode = "inference" if inference else "training"
    figures(f"{family:20s} 2nd, {mode:9s} {seen}; differences {apart:.0e} of the allowed")


@pytest.mark.parametrize("gamma", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3, 33])
def test_the_two_ways_of_writing_it_agree(count: int, gamma: bool) -> None:
    sample = second_sample(count, "float64", count=count, offset=3.0, scale=1.0, kinds=("normal",))
    rows = [to_quad(values) for values in (sample.base.x, sample.base.dy)]
    scale = to_quad(sample.base.gamma) if gamma else None
    nodes = graph.forward(rows[0], scale, None, to_quad(0.25))
    vectors = (to_quad(sample.v_dgamma), to_quad(sample.v_dbeta))
    upstream = second_order.Upstream(to_quad(sample.v_dx), *vectors)
    one = second_order.second_order(rows[1], nodes, scale, upstream)
    other = second_order.second_order_closed_form(rows[1], nodes, scale, upstream)
    for name, first, then in zip(NAMES, one, other, strict=True):
        apart = np.max(np.abs(first - then)) / (1 + np.max(np.abs(then)))
        assert apart < to_quad(1e-30), (name, float(apart))


def test_a_layer_without_gamma_is_one_with_a_gamma_of_one() -> None:
    sample = second_sample(3, count=8)
    golden, dy = sample.base.golden(), sample.base.dy_quad
    ones, none = (
        type(golden)(golden.config, golden.convention, golden.x, type(golden.parameters)(gamma, None))
        for gamma in (to_quad(np.ones(sample.base.channels)), None)
    )
    for name in NAMES:
        first, then = (layer.second_order(dy, to_quad(sample.v_dx))[name] for layer in (ones, none))
        assert np.array_equal(to_float64(first.values), to_float64(then.values))
        assert np.array_equal(to_float64(first.bound(TIGHT).allowed), to_float64(then.bound(TIGHT).allowed))


def test_an_empty_batch_has_a_second_order_without_values() -> None:
    golden, nothing = second_sample(3, count=8).base.golden(), np.zeros((4, 0), QUAD)
    empty = type(golden)(golden.config, golden.convention, nothing, golden.parameters)
    found = empty.second_order(nothing, nothing)
    assert found["ds_dx"].values.shape == found["ds_ddy"].values.shape == (4, 0)
    assert to_float64(found["ds_dgamma"].values).tolist() == [0.0] * 4


def test_masked_training_has_no_second_order_here() -> None:
    golden = second_sample(3, count=8).base.golden()
    masked = type(golden)(golden.config, golden.convention, golden.x, golden.parameters, mask=np.ones(8, np.bool_))
    with pytest.raises(ValueError, match="takes no mask"):
        masked.second_order(golden.x, golden.x)


# --- bounds ---------------------------------------------------------------------------------------------------------

HAND: dict[str, Way] = {"closed form": closed_form, "staged": staged}
AUTODIFF: dict[str, Way] = {"torch autograd": torch_autograd}


def calibrate(ways: dict[str, Way], seeds: range, dtypes: tuple[str, ...], grade: Any, figures: Figures) -> None:
    tables: dict[str, dict[str, float]] = {}
    judged = 0
    for seed in seeds:
        dtype = dtypes[seed % len(dtypes)]
        sample = second_sample(seed, dtype)
        for inference in (False, True):
            expected = sample.expected(inference)
            judged += int(expected["ds_dx"].bound(grade).meaningful.sum())
            for name, way in ways.items():
                found = way(sample, dtype_of(dtype), inference)
                mode = "inference" if inference else "training"
                ratios = {quantity: ratio(expected[quantity], found[quantity], grade) for quantity in NAMES}
                assert max(ratios.values()) <= 1.0, f"{name}, {mode}, {sample.base.name}: {ratios}"
                worst(tables.setdefault(f"{name}, {mode}", {}), ratios)
    assert judged > 2 * 4 * len(seeds) * 0.8
    for name, table in tables.items():
        shown = " ".join(f"{quantity} {table[quantity]:.2g}" for quantity in NAMES)
        figures(f"{name:28s} {grade.level}, {len(seeds)} cases of {', '.join(dtypes)}: error / bound {shown}")


@pytest.mark.parametrize("part", range(4))
def test_right_forms_stay_tight_on_a_thousand_cases(part: int, figures: Figures) -> None:
    calibrate(HAND, range(part * 300, part * 300 + 300), ("float32", "float64"), TIGHT, figures)


@pytest.mark.parametrize("part", range(4))
def test_the_autograd_of_torch_stays_tight_on_a_thousand_cases(part: int, figures: Figures) -> None:
    pytest.importorskip("torch")
    calibrate(AUTODIFF, range(2000 + part * 300, 2300 + part * 300), ("float32", "float64"), TIGHT, figures)


def test_the_autograd_of_folded_operations_stays_stable(figures: Figures) -> None:
    pytest.importorskip("torch")
    calibrate({"y = a x + b": torch_composite}, range(4000, 4200), ("float32", "float64"), STABLE, figures)


def test_the_autodiff_of_jax_stays_tight_on_a_hundred_cases(figures: Figures) -> None:
    """Fewer, over few counts: each shape is compiled."""
    pytest.importorskip("jax")
    table: dict[str, float] = {}
    for seed in range(6000, 6120):
        sample = second_sample(seed, "float32", count=(2, 7, 64, 257)[seed % 4])
        for inference in (False, True):
            expected, found = sample.expected(inference), jax_autodiff(sample, np.dtype(np.float32), inference)
            ratios = {quantity: ratio(expected[quantity], found[quantity], TIGHT) for quantity in NAMES}
            assert max(ratios.values()) <= 1.0, f"{sample.base.name}: {ratios}"
            worst(table, ratios)
    shown = " ".join(f"{quantity} {table[quantity]:.2g}" for quantity in NAMES)
    figures(f"jax.grad of jax.vjp            tight, 120 cases of float32: error / bound {shown}")


def missing_terms(sample: SecondSample) -> dict[str, tuple[str, Any]]:
    """Every term of the closed form left out in turn, in float64."""
    base, v = sample.base, sample.v_dx
    r = 1 / np.sqrt(base.x.var(axis=1, keepdims=True) + base.eps)
    xh = (base.x - base.x.mean(axis=1, keepdims=True)) * r
    dy, gamma, weight = base.dy, base.gamma[:, None], sample.v_dgamma[:, None]

    def mean(rows: Any) -> Any:
        return rows.mean(axis=1, keepdims=True)

    def project(rows: Any, one: int = 1, along: int = 1) -> Any:
        return rows - one * mean(rows) - along * xh * mean(rows * xh)

    scale, m2, w2 = gamma * r, mean(dy * xh), mean(v * xh)
    d, o = project(dy), project(v)
    both = mean(v * d)

    def dx(a: Any = d, b: Any = o, first: int = 1, second: int = 1, third: int = 1, fourth: int = 1) -> Any:
        return r * ((first * weight - second * scale * w2) * a - scale * (third * m2 * b + fourth * xh * both))

    count = dy.shape[1]
    return {
        "ds_dx without v_dgamma": ("ds_dx", dx(first=0)),
        "ds_dx without c(v)": ("ds_dx", dx(second=0)),
        "ds_dx without c(dy)": ("ds_dx", dx(third=0)),
        "ds_dx without mean(v P(dy))": ("ds_dx", dx(fourth=0)),
        "ds_dx, dy not centred": ("ds_dx", dx(a=project(dy, one=0))),
        "ds_dx, v not centred": ("ds_dx", dx(b=project(v, one=0))),
        "ds_dx, dy along normalised": ("ds_dx", dx(a=project(dy, along=0))),
        "ds_dx, v along normalised": ("ds_dx", dx(b=project(v, along=0))),
        "ds_dgamma without mean": ("ds_dgamma", (r * count * mean(v * project(dy, one=0)))[:, 0]),
        "ds_dgamma without variance": ("ds_dgamma", (r * count * mean(v * project(dy, along=0)))[:, 0]),
        "ds_ddy without mean": ("ds_ddy", scale * project(v, one=0) + weight * xh + sample.v_dbeta[:, None]),
        "ds_ddy without variance": ("ds_ddy", scale * project(v, along=0) + weight * xh + sample.v_dbeta[:, None]),
        "ds_ddy without v_dgamma": ("ds_ddy", scale * o + sample.v_dbeta[:, None]),
        "ds_ddy without v_dbeta": ("ds_ddy", scale * o + weight * xh),
        "right ds_dx": ("ds_dx", dx()),
    }


@pytest.mark.parametrize("count", [4, 8, 16])
def test_every_missing_term_stands_outside_what_is_stable(count: int, figures: Figures) -> None:
    """float32, offsets to 3 deviations: the smallest excess over all samples, of each term."""
    powers: dict[str, float] = {}
    for seed in range(20):
        base = second_sample(seed, count=count, offset=float(seed % 4), scale=1.0, eps=2.0**-6, kinds=("normal",)).base
        random = np.random.default_rng([17, seed])
        ones = np.ones(base.channels)
        sample = SecondSample(base, random.normal(size=base.x.shape), 1.5 * ones, -0.5 * ones)
        expected = sample.expected()
        for name, (quantity, deviant) in missing_terms(sample).items():
            excess = ratio(expected[quantity], deviant.astype(np.float64), STABLE)
            powers[name] = min(powers.get(name, np.inf), excess)
    assert powers.pop("right ds_dx") < 1e-3
    figures(f"2nd order, n = {count}: power " + ", ".join(f"{name} {power:.0f}" for name, power in powers.items()))
    assert min(powers.values()) > 3.0, powers


def test_zeros_are_wrong_or_not_judged() -> None:
    judged = 0
    for seed in range(150):
        sample = second_sample(seed, ("float32", "float64", "float16", "bfloat16")[seed % 4], scale=1.0)
        if not sample.base.x.std(axis=1).all() or not sample.v_dgamma.all():
            continue
        for inference in (False, True):
            for name, expected in sample.expected(inference).items():
                found = level(name, expected, np.zeros(expected.values.shape, dtype_of(sample.base.dtype)))
                assert found in ("wrong", "not-judged"), f"{sample.base.name}: {name}"
                judged += found == "wrong"
    assert judged > 300


def test_bounds_are_numbers_from_zero_up_and_grow_with_the_grade() -> None:
    for seed in range(64):
        sample = second_sample(seed, ("float32", "float64", "float16", "bfloat16")[seed % 4])
        for inference in (False, True):
            for name, expected in sample.expected(inference).items():
                tight, stable = (expected.bound(grade).allowed for grade in (TIGHT, STABLE))
                assert np.all(tight <= stable), name
                for grade in GRADES:
                    allowed, meaningful = expected.bound(grade)
                    assert not np.isnan(allowed).any()
                    assert np.all(allowed >= 0)
                    assert np.isfinite(allowed[meaningful]).all()
