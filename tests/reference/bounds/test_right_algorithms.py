"""Right algorithms stay inside the bounds of their grade, on all data."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tests.support.figures import Figures
from tests.support.judge_samples import (
    GRADE_OF,
    INFERENCE,
    QUANTITIES,
    expected_of,
    is_for,
    ratio,
    ratios,
    worst,
)
from tests.support.samples.random_samples import random_sample, random_samples
from tests.support.samples.sample import Sample

from bn_conformance.algorithms.algorithm import ALGORITHMS
from bn_conformance.algorithms.outputs import outputs
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import TIGHT

Judged = tuple[Sample, dict[str, Expected]]


def line(name: str, table: dict[str, float]) -> str:
    return f"{name:34s}" + " ".join(f"{table.get(quantity, 0.0):9.2g}" for quantity in (*QUANTITIES, *INFERENCE))


SHORT_NAMES = [name.replace("inference_", "i_").replace("running_", "r_") for name in (*QUANTITIES, *INFERENCE)]
HEADER = " " * 34 + " ".join(f"{name:>9s}" for name in SHORT_NAMES)


@cache
def judged_samples(part: int) -> tuple[Judged, ...]:
    samples = random_samples(80, start=80 * part, largest_count=150)
    return tuple((sample, expected_of(sample)) for sample in samples)


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_right_algorithm_stays_within_its_grade(name: str, part: int) -> None:
    algorithm, judged = ALGORITHMS[name], 0
    for sample, expected in judged_samples(part):
        if not is_for(algorithm, sample):
            continue
        for quantity, got in outputs(algorithm, sample).items():
            assert ratio(expected[quantity], got, GRADE_OF[algorithm.grade]) <= 1.0, f"{sample.name}: {quantity}"
            judged += 1
    assert judged > 25


EXTREMES = {
    "float32": ((-149, -60), (20, 40)),
    "bfloat16": ((-133, -60), (20, 40)),
    "float64": ((-1074, -500), (150, 330)),
    "float16": ((-24, -8), (2, 5)),
}


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("dtype", EXTREMES)
@pytest.mark.parametrize("end", ["tiny", "huge"])
def test_right_algorithms_stay_within_their_grades_at_both_ends_of_the_range(dtype: str, end: str, part: int) -> None:
    """From subnormal data, with and without flushing them to zero, to squares short of overflow."""
    judged = 0
    for seed in range(part * 20, part * 20 + 20):
        low, high = EXTREMES[dtype][end == "huge"]
        scale = 2.0 ** np.random.default_rng(seed).uniform(low, high)
        eps = 2.0**-10 if end == "huge" or dtype == "float16" else (2.0**-10, 1e-5)[seed % 2]
        kinds = ("normal", "uniform", "outlier", "constant")
        offset = (0.0, 1.0, 30.0)[seed // 3 % 3]
        sample = random_sample(seed, dtype, scale=scale, offset=offset, eps=eps, largest_count=40, kinds=kinds)
        expected = expected_of(sample)
        for name, algorithm in ALGORITHMS.items():
            if not is_for(algorithm, sample):
                continue
            for quantity, got in outputs(algorithm, sample).items():
                judged += int(expected[quantity].bound(TIGHT).meaningful.sum())
                inside = ratio(expected[quantity], got, GRADE_OF[algorithm.grade]) <= 1.0
                assert inside, f"{name}, {sample.name}: {quantity}"
    assert judged > 300


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
            if not is_for(algorithm, sample):
                continue
            safeties = (4.0, 1.0) if cases % 4 == 1 else (4.0,)  # C = 1 decides nothing, and costs as much
            grades = [replace(GRADE_OF[algorithm.grade], safety=safety) for safety in safeties]
            shares = {
                quantity: ratios(expected[quantity], got, *grades)
                for quantity, got in outputs(algorithm, sample).items()
            }
            for place, safety in enumerate(safeties):
                worst(
                    tables.setdefault((name, safety), {}), {quantity: pair[place] for quantity, pair in shares.items()}
                )
            assert max(pair[0] for pair in shares.values()) <= 1.0, f"{name}, {sample.name}: {shares}"
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
            if name != "Welford" and is_for(algorithm, sample):
                results = outputs(algorithm, sample)
                shares = {
                    quantity: ratio(expected[quantity], got, GRADE_OF[algorithm.grade])
                    for quantity, got in results.items()
                }
                worst(tables.setdefault(name, {}), shares)
    figures("float32, n = 4096 to 50000, C = 4")
    figures(HEADER)
    for name, table in tables.items():
        figures(line(name, table))
        assert max(table.values()) <= 1.0, name
