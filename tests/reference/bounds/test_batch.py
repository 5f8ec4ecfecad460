"""Right algorithms stay inside their grade, unstable ones land in the grade that names them, fakes are `wrong`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tests.reference.conftest import Figures
from tests.support.algorithms.algorithm import (
    ALGORITHMS,
    RAW_DERIVATIVE,
    RAW_MOMENTS,
    SEQUENTIAL,
    STORAGE,
    STORAGE_WIDE_SUMS,
    Algorithm,
)
from tests.support.algorithms.outputs import outputs
from tests.support.judge_samples import INFERENCE, QUANTITIES, expected_of, level, ratio, ratios, worst
from tests.support.samples.families import FAMILIES
from tests.support.samples.random_samples import random_sample, random_samples
from tests.support.samples.sample import Sample

from bn_conformance.cases.recipes import dtype_of
from bn_reference.arithmetic.quad import quietly, to_float64
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import GRADES, STABLE, TIGHT, Grade

GRADE_OF = {"tight": TIGHT, "stable": STABLE}
Judged = tuple[Sample, dict[str, Expected]]


def applies(algorithm: Algorithm, sample: Sample) -> bool:
    narrow = sample.dtype in ("float16", "bfloat16")
    return (narrow or algorithm.rounds == "result") and not (
        algorithm.not_for and sample.name.startswith(algorithm.not_for)
    )


def line(name: str, table: dict[str, float]) -> str:
    return f"{name:34s}" + " ".join(f"{table.get(quantity, 0.0):9.2g}" for quantity in (*QUANTITIES, *INFERENCE))


HEADER = " " * 34 + " ".join(f"{name.replace('inference_', 'i_').replace('running_', 'r_'):>9s}" for name in (*QUANTITIES, *INFERENCE))  # fmt: skip  # noqa: E501


@cache
def judged_samples() -> tuple[Judged, ...]:
    return tuple((sample, expected_of(sample)) for sample in random_samples(320, largest_count=150))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_right_algorithm_stays_within_its_grade(name: str) -> None:
    algorithm, seen = ALGORITHMS[name], 0
    for sample, expected in judged_samples():
        if not applies(algorithm, sample):
            continue
        for quantity, got in outputs(algorithm, sample).items():
            assert ratio(expected[quantity], got, GRADE_OF[algorithm.grade]) <= 1.0, f"{sample.name}: {quantity}"
            seen += 1
    assert seen > 100


EXTREMES = {
    "float32": ((-149, -60), (20, 40)),
    "bfloat16": ((-133, -60), (20, 40)),
    "float64": ((-1074, -500), (150, 330)),
    "float16": ((-24, -8), (2, 5)),
}


@pytest.mark.parametrize("dtype", EXTREMES)
@pytest.mark.parametrize("end", ["tiny", "huge"])
def test_right_algorithms_stay_within_their_grades_at_both_ends_of_the_range(dtype: str, end: str) -> None:
    """From subnormal data, with and without flushing them to zero, to squares short of overflow."""
    judged = 0
    for seed in range(60):
        low, high = EXTREMES[dtype][end == "huge"]
        scale = 2.0 ** np.random.default_rng(seed).uniform(low, high)
        eps = 2.0**-10 if end == "huge" or dtype == "float16" else (2.0**-10, 1e-5)[seed % 2]
        kinds = ("normal", "uniform", "outlier", "constant")
        offset = (0.0, 1.0, 30.0)[seed // 3 % 3]
        sample = random_sample(seed, dtype, scale=scale, offset=offset, eps=eps, largest_count=40, kinds=kinds)
        expected = expected_of(sample)
        for name, algorithm in ALGORITHMS.items():
            if not applies(algorithm, sample):
                continue
            for quantity, got in outputs(algorithm, sample).items():
                judged += int(expected[quantity].bound(TIGHT).meaningful.sum())
                inside = ratio(expected[quantity], got, GRADE_OF[algorithm.grade]) <= 1.0
                assert inside, f"{name}, {sample.name}: {quantity}"
    assert judged > 1000


ORDER = ["exact", "tight", "stable", *dict.fromkeys(grade.level for grade in GRADES[2:]), "wrong"]


def levels(algorithm: Algorithm, sample: Sample) -> dict[str, str]:
    expected = expected_of(sample)
    return {name: level(name, expected[name], got) for name, got in outputs(algorithm, sample).items()}


def worst_level(algorithm: Algorithm, sample: Sample) -> str:
    return max((found for found in levels(algorithm, sample).values() if found != "not-judged"), key=ORDER.index)


def conditioned(seed: int, dtype: str, count: int, condition: float) -> Sample:
    """Normal data whose mean / deviation is `condition` in every channel, with deviations that are no round numbers.

    (With a variance of exactly 1 raw moments are saved by rounding: their result is a multiple of a large power of 2.)
    """
    base = random_sample(seed, dtype, count=count, offset=0.0, scale=1.0, eps=2.0**-10, kinds=("normal",))
    normalised = (base.x - base.x.mean(axis=1, keepdims=True)) / base.x.std(axis=1, keepdims=True)
    deviation = np.random.default_rng([7, seed]).uniform(0.7, 1.9, (base.channels, 1))
    x = (deviation * (normalised + condition)).astype(dtype_of(dtype)).astype(np.float64)
    name = f"{base.name}/condition={condition:g}"
    return replace(base, name=name, x=x, running_mean=x[:, 0] * 0.75, beta=base.beta + 1.5)


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
        found = Counter(worst_level(algorithm, conditioned(seed, dtype, count, condition)) for seed in range(12))
        if condition in wrong:
            assert set(found) == {"wrong"}, (condition, found)
            continue
        assert set(found) <= {"tight", "stable", "degraded(raw-moments)"}, (condition, found)
        if condition in named:
            assert found["degraded(raw-moments)"] >= 8, (condition, found)


@pytest.mark.parametrize("value", [0.1, 0.7])
def test_a_sequential_sum_is_named_where_its_rounding_is_systematic(value: float) -> None:
    """65536 equal values: every addition rounds the same way. At 4096 the error is still like that of other sums."""
    for count, wanted in ((4096, "tight"), (65536, "degraded(sequential-sum)")):
        base = random_sample(
            1, "float32", count=count, channels=2, eps=2.0**-5, offset=0.0, scale=1.0, kinds=("constant",)
        )
        x = np.full_like(base.x, np.float32(value))
        sample = replace(base, x=x, running_mean=x[:, 0] / 2, running_variance=np.ones(2))
        expected = expected_of(sample)
        found = outputs(SEQUENTIAL, sample)
        assert level("y", expected["y"], found["y"]) == wanted
        assert level("running_mean", expected["running_mean"], found["running_mean"]) == wanted


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
        found = Counter(worst_level(algorithm, sample) for sample in storage_samples(dtype, count))
        assert set(found) <= {"stable", "degraded(storage-precision)", "wrong"}, (count, found)
        assert found["degraded(storage-precision)"] >= 2, (count, found)
        assert found["degraded(storage-precision)"] >= found["wrong"], (count, found)


def test_unstable_algorithms_fail_where_their_grades_are_vacuous() -> None:
    """Sums of 3000 float16 numbers in float16 are no batch normalisation by any name."""
    assert {worst_level(STORAGE, sample) for sample in storage_samples("float16", 3000)} == {"wrong"}


FAKE_KINDS = ("normal", "uniform", "trend")


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_zeros_ones_and_the_input_itself_are_wrong(dtype: str) -> None:
    """In every case that is judged at all, over all conditions and counts."""
    judged: Counter[str] = Counter()
    for seed in range(150):
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
                found = level(name, expected[name], fake)
                judged[name] += found == "wrong"
                assert found in ("wrong", "not-judged"), f"{sample.name}: {name}"
    assert min(judged.values()) > 200, judged


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
        zeros = np.zeros(expected[name].values.shape, np.float32)
        assert level(name, expected[name], zeros) == "not-judged"
    for name in ("dbeta", "running_mean", "inference_y"):
        assert expected[name].bound(TIGHT).meaningful.all()


@pytest.mark.parametrize("offset", [1e4, 2e4])
def test_a_mean_of_ten_thousand_deviations_is_still_judged_at_small_counts(offset: float) -> None:
    sample = conditioned(3, "float32", 32, offset)
    assert expected_of(sample)["y"].bound(TIGHT).meaningful.all()


def test_bounds_of_finite_data_are_numbers_from_zero_up() -> None:
    extremes = [sample for family in ("scale-subnormal", "scale-near-overflow", "constant", "one-value", "offset-1e+08")
                for sample in FAMILIES[family]]  # fmt: skip
    for sample in [*random_samples(64, start=9000), *extremes]:
        for name, expected in expected_of(sample).items():
            finite = np.isfinite(expected.values)
            for grade in GRADES:
                allowed, meaningful = expected.bound(grade)
                assert not np.isnan(allowed[finite]).any(), f"{sample.name}: {name} at {grade.level}"
                assert np.all(allowed[finite] >= 0)
                rows = meaningful[:, None] & finite if finite.ndim == 2 else meaningful & finite
                assert np.isfinite(allowed[rows]).all()


def test_grades_allow_more_from_tight_to_stable_to_each_degraded_one() -> None:
    """The storage grades have C = 1 and count only where storing is narrower; sequential sums only at large counts."""
    for sample in random_samples(48, start=500):
        for name, expected in expected_of(sample).items():
            tight, stable = expected.bound(TIGHT).allowed, expected.bound(STABLE).allowed
            finite = np.isfinite(expected.values)
            assert np.all(tight[finite] <= stable[finite]), name
            for grade in GRADES:
                if grade.raw_moments or grade.sequential:
                    assert np.all(stable[finite] <= expected.bound(grade).allowed[finite]), (name, grade)


def pair_sample(dtype: str, channels: int = 64, middle: float = 0.0) -> Sample:
    """m - s and m + s: mean and variance are exact, and every channel has a root of its own."""
    spread = 0.25 * (np.arange(channels) + 1.0)[:, None]
    base = random_sample(0, dtype, count=2, channels=channels, eps=2.0**-8, offset=0.0, scale=1.0, kinds=("normal",))
    x = middle + spread * np.array([[-1.0, 1.0]])
    return replace(base, name="pairs", x=x, exact_statistics=True)


@pytest.mark.parametrize("middle", [0.0, 2.0, 64.0])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_exact_statistics_leave_right_algorithms_their_few_roundings(
    dtype: str, middle: float, figures: Figures
) -> None:
    sample = pair_sample(dtype, middle=middle)
    expected, largest = expected_of(sample), 0.0
    for name, algorithm in ALGORITHMS.items():
        if not applies(algorithm, sample) or algorithm.moments.__name__ == "welford":
            continue
        for quantity, got in outputs(algorithm, sample).items():
            found = ratio(expected[quantity], got, GRADE_OF[algorithm.grade])
            assert found <= 1.0, f"{name}: {quantity}"
            largest = max(largest, found if quantity == "y" and dtype in ("float32", "float64") else 0.0)
    figures(f"exact statistics, {dtype}, mean {middle:g}: y at most {largest:.2f} of the bound (C = 1)")


@pytest.mark.parametrize("quantity", ["y", "inference_y", "inference_dx"])
@pytest.mark.parametrize(("dtype", "bits"), [("float32", 20), ("float64", 49), ("float64", 23)])
def test_exact_statistics_tell_a_reciprocal_root_that_lacks_bits(dtype: str, bits: int, quantity: str) -> None:
    sample = pair_sample(dtype)
    precision = {"float32": 24, "float64": 53}[dtype]
    coarse = replace(ALGORITHMS["two-pass, NumPy sums"], root_roundings=2.0 ** (precision - bits))
    assert level(quantity, expected_of(sample)[quantity], outputs(coarse, sample)[quantity]) == "wrong"


@quietly
def effect(expected: Expected, deviant: np.ndarray, grade: Grade) -> float:
    """Largest deviation / allowed."""
    allowed, _ = expected.bound(grade)
    return float(to_float64(np.asarray(np.max(np.abs(deviant.astype(allowed.dtype) - expected.values) / allowed))))


@pytest.mark.parametrize("count", [2, 8, 64, 100, 257])
def test_the_loosest_passing_grade_has_power_over_the_classic_mistakes(count: int, figures: Figures) -> None:
    """float32, eps = 1e-3 or more: each mistake stands far outside what `stable` allows."""
    powers: dict[str, float] = {}
    for seed, eps in enumerate((1e-3, 2.0**-6, 0.5)):
        sample = random_sample(seed, "float32", count=count, offset=0.5, scale=1.0, eps=eps, kinds=("normal",))
        sample = replace(sample, running_variance=np.ones(sample.channels))
        expected, x = expected_of(sample), sample.x
        mean, variance = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
        gamma, beta, dy = sample.gamma[:, None], sample.beta[:, None], sample.dy
        kept = float(np.float64(eps))
        inverse = 1 / np.sqrt(variance + kept)
        normalised = (x - mean) * inverse
        m1, m2 = dy.mean(axis=1, keepdims=True), (dy * normalised).mean(axis=1, keepdims=True)
        unbiased = variance * count / (count - 1)
        mistakes = {
            "eps missing": ("y", gamma * (x - mean) / np.sqrt(variance) + beta),
            "eps outside the root": ("y", gamma * (x - mean) / (np.sqrt(variance) + kept) + beta),
            "unbiased variance in y": ("y", gamma * (x - mean) / np.sqrt(unbiased + kept) + beta),
            "biased running variance": ("running_var", (0.75 * 1.0 + 0.25 * variance)[:, 0]),
            "dx without its mean term": ("dx", gamma * inverse * (dy - normalised * m2)),
            "dx without its variance term": ("dx", gamma * inverse * (dy - m1)),
        }
        for mistake, (name, deviant) in mistakes.items():
            powers[mistake] = min(powers.get(mistake, np.inf), effect(expected[name], deviant, STABLE))
    figures(f"n = {count:3d}: power " + ", ".join(f"{name} {power:.0f}" for name, power in powers.items()))
    assert min(powers.values()) >= 10.0, powers


# --- calibration: last, so that the long tests are dealt out one by one ---------------------------------------------

PARTS = {
    "float32, part 1": (1000, 1336),
    "float32, part 2": (2336, 1336),
    "float32, part 3": (3672, 1328),
    "float64": (1000, 4000),
    "float16": (1000, 4000),
    "bfloat16": (1000, 4000),
}
"""First seed and number of seeds; an eighth to three eighths of them are of the format (4000 cases in all)."""


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_right_algorithms_stay_within_their_grades_on_thousands_of_cases(part: str, figures: Figures) -> None:
    """The calibration of BOUNDS.md: largest error / bound with C = 4, and for information C = 1 in every fourth."""
    tables: dict[tuple[str, float], dict[str, float]] = {}
    cases = 0
    start, seeds = PARTS[part]
    for sample in random_samples(seeds, start=start, only=part.partition(",")[0]):
        expected, cases = expected_of(sample), cases + 1
        for name, algorithm in ALGORITHMS.items():
            if not applies(algorithm, sample):
                continue
            safeties = (4.0, 1.0) if cases % 4 == 1 else (4.0,)  # C = 1 decides nothing, and costs as much
            grades = [replace(GRADE_OF[algorithm.grade], safety=safety) for safety in safeties]
            found = {
                quantity: ratios(expected[quantity], got, *grades)
                for quantity, got in outputs(algorithm, sample).items()
            }
            for place, safety in enumerate(safeties):
                worst(
                    tables.setdefault((name, safety), {}), {quantity: pair[place] for quantity, pair in found.items()}
                )
            assert max(pair[0] for pair in found.values()) <= 1.0, f"{name}, {sample.name}: {found}"
    assert cases >= 498
    for safety in (4.0, 1.0):
        figures(f"{part}, {cases} cases, largest error / bound at C = {safety:g}")
        figures(HEADER)
        for name in ALGORITHMS:
            if (name, safety) in tables:
                figures(line(name, tables[name, safety]))


@pytest.mark.slow
def test_right_algorithms_stay_within_their_grades_at_large_counts(figures: Figures) -> None:
    tables: dict[str, dict[str, float]] = {}
    for seed, count in enumerate((4096, 16384, 50000) * 6):
        sample = random_sample(seed, "float32", channels=2, count=count)
        expected = expected_of(sample)
        for name, algorithm in ALGORITHMS.items():
            if name != "Welford" and applies(algorithm, sample):
                found = outputs(algorithm, sample)
                shares = {
                    quantity: ratio(expected[quantity], got, GRADE_OF[algorithm.grade])
                    for quantity, got in found.items()
                }
                worst(tables.setdefault(name, {}), shares)
    figures("float32, n = 4096 to 50000, C = 4")
    figures(HEADER)
    for name, table in tables.items():
        figures(line(name, table))
        assert max(table.values()) <= 1.0, name
