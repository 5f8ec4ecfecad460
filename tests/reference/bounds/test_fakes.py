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


@pytest.mark.parametrize("offset", [1e4, 2e4])
def test_a_mean_of_ten_thousand_deviations_is_still_judged_at_small_counts(offset: float) -> None:
    sample = conditioned(3, "float32", 32, offset)
    assert expected_of(sample)["y"].bound(TIGHT).meaningful.all()
