"""Zeros, ones and the input itself are never taken for a result."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from tests.support.judge_samples import (
    INFERENCE,
    QUANTITIES,
    expected_of,
    level,
)
from tests.support.samples.families import FAMILIES
from tests.support.samples.random_samples import conditioned, random_sample
from tests.support.samples.sample import Sample

from bn_conformance.cases.recipes import dtype_of
from bn_reference.specification.grades import TIGHT

FAKE_KINDS = ("normal", "uniform", "trend")


@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_zeros_ones_and_the_input_itself_are_wrong(dtype: str, part: int) -> None:
    """In every case that is judged at all, over all conditions and counts."""
    judged: Counter[str] = Counter()
    for seed in range(part * 30, part * 30 + 30):
        random = np.random.default_rng(seed)
        scale, count = 2.0 ** random.uniform(-5.0, 5.0), int(random.integers(4, 100))
        sample = random_sample(seed, dtype, kinds=FAKE_KINDS, scale=scale, count=count, eps=scale**2 * 2.0**-8)
        expected, storage = expected_of(sample), dtype_of(dtype)
        if not sample.x.std(axis=1).all():  # constant after rounding: then zeros are right
            continue
        for name in (*QUANTITIES, *INFERENCE):
            values = expected[name].values
            fakes = [np.zeros(values.shape, storage), np.ones(values.shape, storage)]
            fakes += [sample.x.astype(storage), sample.dy.astype(storage)] if values.ndim == 2 else []
            for fake in fakes:
                named_level = level(name, expected[name], fake)
                judged[name] += named_level == "wrong"
                assert named_level in ("wrong", "not-judged"), f"{sample.name}: {name}"
    assert min(judged.values()) > 40, judged


@pytest.mark.parametrize("family", [name for name in FAMILIES if not name.startswith(("constant", "one-value"))])
def test_zeros_are_wrong_in_every_family(family: str) -> None:
    for sample in FAMILIES[family]:
        expected = expected_of(sample)
        for name in ("y", "inference_y", "inference_dx"):
            zeros = np.zeros(expected[name].values.shape, dtype_of(sample.dtype))
            assert level(name, expected[name], zeros) in ("wrong", "not-judged"), f"{sample.name}: {name}"


def test_nothing_vacuous_is_judged() -> None:
    """N(1e6, 1) with 3136 values in float32: bounds are larger than the results, so an all-zero y says nothing."""
    sample = random_sample(5, "float32", count=3136, offset=1e6, scale=1.0, eps=2.0**-10, kinds=("normal",))
    expected = expected_of(sample)
    for name in ("y", "dx", "dgamma", "running_var"):
        assert not expected[name].bound(TIGHT).meaningful.any()
        assert level(name, expected[name], (expected[name].values * 1.5).astype(np.float32)) == "not-judged"
    for name in ("dbeta", "running_mean", "inference_y"):
        assert expected[name].bound(TIGHT).meaningful.all()


FAR = {"float32": 2.0**20, "bfloat16": 2.0**20, "float64": 2.0**49}
"""A running mean of so many deviations leaves a folded y about as large an error as y is."""


@pytest.mark.parametrize("dtype", FAR)
def test_an_error_of_y_in_inference_that_only_a_vacuous_bound_explains_says_nothing(dtype: str) -> None:
    """x is `far` and y is 0.75 and -0.875: folding may be off by as much, but not by three times as much."""
    far, apart = FAR[dtype], np.array([0.75, -0.875])
    sample = Sample(
        name="far",
        dtype=dtype,
        parameter_dtype="float64" if dtype == "float64" else "float32",
        eps=2.0**-10,
        x=np.full((2, 4), far),
        dy=np.zeros((2, 4)),
        gamma=np.ones(2),
        beta=np.zeros(2),
        running_mean=far - apart,
        running_variance=np.ones(2),
    )
    expected = expected_of(sample)["inference_y"]
    right = expected.rounded(dtype_of(dtype))

    def judged(got: np.ndarray) -> str:
        return level("inference_y", expected, got.astype(right.dtype))

    assert judged(right) == "exact"
    assert judged(right * 1.125) == "stable"
    assert judged(right * 0.0) == judged(right * 1.5) == "not-judged"
    outside = "not-judged" if dtype == "bfloat16" else "wrong"  # nothing is left of a y that is folded in 16 bits
    assert judged(right * 4.0) == judged(np.concatenate([right[:1] * 0.0, right[1:] * 4.0])) == outside
    assert judged(right * np.nan) == "wrong"
    one_value = right.copy()
    one_value[0, 0] = 0.0
    assert judged(one_value) == "tight", "the other channel is still judged"


@pytest.mark.parametrize("offset", [1e4, 2e4])
def test_a_mean_of_ten_thousand_deviations_is_still_judged_at_small_counts(offset: float) -> None:
    sample = conditioned(3, "float32", 32, offset)
    assert expected_of(sample)["y"].bound(TIGHT).meaningful.all()
