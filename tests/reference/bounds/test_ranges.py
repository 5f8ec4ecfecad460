"""Where bounds are vacuous, right algorithms stay in their ranges, and nonsense does not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from tests.support.judge_samples import expected_of, is_for, level
from tests.support.samples.random_samples import random_sample
from tests.support.samples.sample import Sample

from bn_conformance.algorithms.algorithm import ALGORITHMS
from bn_conformance.algorithms.moments import welford
from bn_conformance.algorithms.outputs import outputs
from bn_conformance.cases.recipes import dtype_of
from bn_reference.specification.grades import TIGHT

POWERS = {"float32": (5, 9), "float64": (13, 18), "bfloat16": (5, 9), "float16": (2, 3.5)}
"""Powers of ten of mean / sigma at which bounds are vacuous; float16 keeps them in constant channels alone."""

VACUOUS = ("y", "dx", "dgamma", "running_var")


def far_sample(seed: int, dtype: str) -> Sample:
    random = np.random.default_rng([7, seed])
    kinds = ("constant",) if dtype == "float16" else ("constant", "two-valued", "nearly-constant", "normal")
    sample = random_sample(
        seed,
        dtype,
        offset=10.0 ** random.uniform(*POWERS[dtype]),
        scale=1.0,
        count=int(random.choice([1, 2, 3, 8, 33, 100])),
        eps=float(random.choice([2.0**-10, 1e-5, 0.25])),
        kinds=kinds,
    )
    return replace(sample, dy=sample.dy / 64.0) if dtype == "float16" else sample  # no path of dx overflows


@pytest.mark.parametrize("dtype", POWERS)
def test_right_algorithms_stay_in_range(dtype: str) -> None:
    seen: Counter[str] = Counter()
    for seed in range(20):
        sample = far_sample(seed, dtype)
        expected = expected_of(sample)
        for name, algorithm in ALGORITHMS.items():
            if not is_for(algorithm, sample):
                continue
            got = outputs(algorithm, sample)
            for quantity in VACUOUS:
                found = level(quantity, expected[quantity], got[quantity])
                assert found != "wrong", f"{name}, {sample.name}: {quantity}"
                seen[quantity] += found == "not-judged"
    assert all(seen[quantity] for quantity in ("y", "dx")), seen


@pytest.mark.parametrize("nonsense", [np.nan, np.inf, 1e30, -1e30])
def test_nonsense_is_wrong_where_no_bound_means_anything(nonsense: float) -> None:
    sample = random_sample(5, "float32", count=33, offset=1e7, scale=1.0, eps=2.0**-10, kinds=("normal",))
    expected = expected_of(sample)
    for name in VACUOUS:
        assert not expected[name].bound(TIGHT).meaningful.any()
        fake = np.full(expected[name].values.shape, nonsense, dtype_of("float32"))
        assert level(name, expected[name], fake) == "wrong"


def test_updating_algorithms_leave_the_range_of_two_passes() -> None:
    """Why |gamma| sqrt(n) is no range: Welford's variance of two neighbouring numbers may be 0."""
    x = np.array([[1e7 + 1, 1e7 + 2]], np.float32)
    mean, variance = welford(x, lambda rows: rows.sum(axis=1))
    assert variance[0] == 0
    assert np.abs(x - mean[:, None]).max() == 1
