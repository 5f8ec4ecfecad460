"""Bounds of second-order gradients: right forms stay inside, a missing term stands outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.support.figures import Figures
from tests.support.judge_samples import level, ratio, worst
from tests.support.second_order_algorithms import (
    NAMES,
    SecondSample,
    closed_form,
    jax_autodiff,
    second_sample,
    staged,
    torch_autograd,
    torch_composite,
)

from bn_conformance.cases.recipes import dtype_of
from bn_reference.specification.grades import GRADES, STABLE, TIGHT

FORMATS = ("float32", "float64", "float16", "bfloat16")

Way = Callable[[SecondSample, Any, bool], dict[str, Any]]

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
                results = way(sample, dtype_of(dtype), inference)
                mode = "inference" if inference else "training"
                ratios = {quantity: ratio(expected[quantity], results[quantity], grade) for quantity in NAMES}
                assert max(ratios.values()) <= 1.0, f"{name}, {mode}, {sample.base.name}: {ratios}"
                worst(tables.setdefault(f"{name}, {mode}", {}), ratios)
    assert judged > 2 * 4 * len(seeds) * 0.8
    for name, table in tables.items():
        shown = " ".join(f"{quantity} {table[quantity]:.2g}" for quantity in NAMES)
        figures(f"{name:28s} {grade.level}, {len(seeds)} cases of {', '.join(dtypes)}: error / bound {shown}")


@pytest.mark.parametrize("part", range(20))
def test_right_forms_stay_tight_on_a_thousand_cases(part: int, figures: Figures) -> None:
    calibrate(HAND, range(part * 60, part * 60 + 60), ("float32", "float64"), TIGHT, figures)


@pytest.mark.framework
@pytest.mark.parametrize("part", range(4))
def test_the_autograd_of_torch_stays_tight_on_a_thousand_cases(part: int, figures: Figures) -> None:
    calibrate(AUTODIFF, range(2000 + part * 300, 2300 + part * 300), ("float32", "float64"), TIGHT, figures)


@pytest.mark.framework
def test_the_autograd_of_folded_operations_stays_stable(figures: Figures) -> None:
    calibrate({"y = a x + b": torch_composite}, range(4000, 4200), ("float32", "float64"), STABLE, figures)


@pytest.mark.framework
def test_the_autodiff_of_jax_stays_tight_on_a_hundred_cases(figures: Figures) -> None:
    """Fewer, over few counts: each shape is compiled."""
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


@pytest.mark.slow
def test_zeros_are_wrong_or_not_judged() -> None:
    judged = 0
    for seed in range(150):
        sample = second_sample(seed, FORMATS[seed % len(FORMATS)], scale=1.0)
        if not sample.base.x.std(axis=1).all() or not sample.v_dgamma.all():
            continue
        for inference in (False, True):
            for name, expected in sample.expected(inference).items():
                named_level = level(name, expected, np.zeros(expected.values.shape, dtype_of(sample.base.dtype)))
                assert named_level in ("wrong", "not-judged"), f"{sample.base.name}: {name}"
                judged += named_level == "wrong"
    assert judged > 300


@pytest.mark.parametrize("dtype", FORMATS)
def test_bounds_are_numbers_from_zero_up_and_grow_with_the_grade(dtype: str) -> None:
    for seed in range(FORMATS.index(dtype), 64, len(FORMATS)):
        sample = second_sample(seed, dtype)
        for inference in (False, True):
            for name, expected in sample.expected(inference).items():
                tight, stable = (expected.bound(grade).allowed for grade in (TIGHT, STABLE))
                assert np.all(tight <= stable), name
                for grade in GRADES:
                    allowed, meaningful = expected.bound(grade)
                    assert not np.isnan(allowed).any()
                    assert np.all(allowed >= 0)
                    assert np.isfinite(allowed[meaningful]).all()
