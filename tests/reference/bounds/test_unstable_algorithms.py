"""An unstable algorithm lands in the degraded grade that names it, or is `wrong`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from tests.support.judge_samples import (
    expected_of,
    level,
)
from tests.support.samples.random_samples import conditioned, random_sample
from tests.support.samples.sample import Sample

from bn_conformance.algorithms.algorithm import (
    RAW_DERIVATIVE,
    RAW_MOMENTS,
    SEQUENTIAL,
    STORAGE,
    STORAGE_WIDE_SUMS,
    Algorithm,
)
from bn_conformance.algorithms.outputs import outputs
from bn_reference.specification.grades import GRADES

ORDER = ["exact", "tight", "stable", *dict.fromkeys(grade.level for grade in GRADES[2:]), "wrong"]


def levels(algorithm: Algorithm, sample: Sample) -> dict[str, str]:
    expected = expected_of(sample)
    return {name: level(name, expected[name], got) for name, got in outputs(algorithm, sample).items()}


def worst_level(algorithm: Algorithm, sample: Sample) -> str:
    return max((found for found in levels(algorithm, sample).values() if found != "not-judged"), key=ORDER.index)


RAW_RANGES = [
    # format, n, mean / deviation where raw moments do as well as others, where they are named, where they are wrong
    ("float32", 4, (3,), (60, 100, 300), (1000, 3000)),
    ("float32", 16, (3,), (100, 190), (1000, 3000)),
    ("float32", 64, (3, 10), (130,), (1000, 3000)),
    ("float64", 4, (3,), (100, 1e4, 1e6), (3e7, 1e8)),
    ("float64", 64, (3, 10), (1e3, 1e5, 1e6), (3e7, 1e8)),
]


@pytest.mark.parametrize("algorithm", [RAW_MOMENTS, RAW_DERIVATIVE], ids=["raw", "raw-derivative"])
@pytest.mark.parametrize(("dtype", "count", "good", "named", "wrong"), RAW_RANGES)
def test_raw_moments_are_named(
    algorithm: Algorithm,
    dtype: str,
    count: int,
    good: tuple[float, ...],
    named: tuple[float, ...],
    wrong: tuple[float, ...],
) -> None:
    """Up to 2 (h + 4) u (mean / deviation)**2 = 0.1 by their name, and never anything better far above."""
    for condition in (*good, *named, *wrong):
        named_levels = Counter(worst_level(algorithm, conditioned(seed, dtype, count, condition)) for seed in range(12))
        if condition in wrong:
            assert set(named_levels) == {"wrong"}, (condition, named_levels)
            continue
        assert set(named_levels) <= {"tight", "stable", "degraded(raw-moments)"}, (condition, named_levels)
        if condition in named:
            assert named_levels["degraded(raw-moments)"] >= 8, (condition, named_levels)


@pytest.mark.parametrize("value", [0.1, 0.7])
def test_a_sequential_sum_is_named_where_its_rounding_is_systematic(value: float) -> None:
    """65536 equal values: every addition rounds the same way. At 4096 the error is still like that of other sums."""
    for count, wanted in ((4096, "tight"), (65536, "degraded(sequential-sum)")):
        base = random_sample(
            1, "float32", count=count, channels=2, eps=1.5 * value * value, offset=0.0, scale=1.0, kinds=("constant",)
        )
        x = np.full_like(base.x, np.float32(value))
        sample = replace(base, x=x, dy=1.0 + base.dy / 64.0, running_mean=x[:, 0] / 2, running_variance=np.ones(2))
        expected = expected_of(sample)
        results = outputs(SEQUENTIAL, sample)
        assert level("y", expected["y"], results["y"]) == wanted
        assert level("running_mean", expected["running_mean"], results["running_mean"]) == wanted
        assert level("dgamma", expected["dgamma"], results["dgamma"]) == wanted
        assert level("dgamma", expected["dgamma"], results["dbeta"]) == "wrong"


def storage_samples(dtype: str, count: int) -> list[Sample]:
    kinds = ("normal", "uniform")
    return [
        random_sample(seed, dtype, count=count, offset=float(seed % 3), scale=1.0, eps=2.0**-10, kinds=kinds)
        for seed in range(12)
    ]


@pytest.mark.parametrize(
    ("algorithm", "dtype", "counts"),
    [
        (STORAGE, "float16", (4, 16, 64, 100)),
        (STORAGE, "bfloat16", (8, 16, 40)),
        (STORAGE_WIDE_SUMS, "float16", (4, 16, 100, 400)),
        (STORAGE_WIDE_SUMS, "bfloat16", (8, 16, 100, 400, 2000)),
    ],
    ids=["float16", "bfloat16", "float16-wide-sums", "bfloat16-wide-sums"],
)
def test_arithmetic_in_the_storage_format_is_named(algorithm: Algorithm, dtype: str, counts: tuple[int, ...]) -> None:
    """With mean / deviation up to 2. Its grade is vacuous for some of dgamma there, which is `wrong` then."""
    for count in counts:
        named_levels = Counter(worst_level(algorithm, sample) for sample in storage_samples(dtype, count))
        assert set(named_levels) <= {"stable", "degraded(storage-precision)", "wrong"}, (count, named_levels)
        assert named_levels["degraded(storage-precision)"] >= 2, (count, named_levels)
        assert named_levels["degraded(storage-precision)"] >= named_levels["wrong"], (count, named_levels)


@pytest.mark.slow
def test_unstable_algorithms_fail_where_their_grades_are_vacuous() -> None:
    """Sums of 3000 float16 numbers in float16 are no batch normalisation by any name."""
    assert {worst_level(STORAGE, sample) for sample in storage_samples("float16", 3000)} == {"wrong"}
