"""Exact cases: every right algorithm gives the exact result, or stays within a few roundings, and wrong ones do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.measure.false_alarms import applies
from tests.support.judge_algorithms import judged, samples

from bn_conformance.algorithms.algorithm import ALGORITHMS, SEQUENTIAL, Algorithm
from bn_conformance.algorithms.moments import raw_moments
from bn_conformance.algorithms.sums import sequential
from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases
from bn_conformance.mutation.bench import Bench
from bn_conformance.mutation.catch import ROBUST
from bn_reference.deviations import catalogue

EXACT = [case for case in all_cases().values() if case.exact]
OF_X = [case for case in EXACT if case.judges != {"dbeta"}]
"""Those that x has a part in; dbeta is the sum of dy alone."""

COUNTED = [case for case in all_cases().values() if case.exact_statistics and not case.exact]

IN_ANY_ORDER = {name: one for name, one in ALGORITHMS.items() if name != "fast reciprocal root"} | {
    "sequential": SEQUENTIAL,
    "raw moments": Algorithm(moments=raw_moments, add=sequential),
}
"""All that the data are exact for; an approximate root is not, and has kind (ii)."""


def ids(cases: list[Case]) -> list[str]:
    return [case.id for case in cases]


@pytest.mark.parametrize("case", EXACT, ids=ids(EXACT))
@pytest.mark.parametrize("unbiased", [True, False])
def test_every_right_algorithm_is_exact_where_every_step_is(case: Case, unbiased: bool) -> None:
    for name, algorithm in IN_ANY_ORDER.items():
        if applies(algorithm, case.config.dtype):
            assert {found.outcome for found in judged(case, algorithm, unbiased)} == {"exact"}, name


@pytest.mark.parametrize("case", COUNTED, ids=ids(COUNTED))
def test_every_right_algorithm_stays_within_the_counted_roundings(case: Case) -> None:
    for name, algorithm in ALGORITHMS.items():
        if applies(algorithm, case.config.dtype):
            allowed = {"exact", "tight"} if algorithm.grade == "tight" else {"exact", "tight", "stable"}
            assert {found.outcome for found in judged(case, algorithm)} <= allowed, name


@pytest.mark.parametrize("case", OF_X, ids=ids(OF_X))
def test_where_every_step_is_exact_the_statistics_are(case: Case) -> None:
    """Of x: its mean, variance and the root have few bits, in float64 as in the format."""
    for sample, step in samples(case):
        if step.training:
            mean, variance = sample.x.mean(axis=1), sample.x.var(axis=1)
        else:
            mean, variance = sample.running_mean, sample.running_variance
        few = np.concatenate([mean, variance]) * 16
        assert np.array_equal(few, np.rint(few))
        if "running_mean" not in case.judges or "y" in case.judges:
            assert set(np.frexp(np.sqrt(variance + sample.eps))[0]) == {0.5}, "a power of two"


def outcome_of(case_id: str, algorithm: Algorithm) -> dict[str, str]:
    """The worst outcome of each quantity."""
    found: dict[str, str] = {}
    for quantity in judged(all_cases()[case_id], algorithm):
        found[quantity.name] = "wrong" if "wrong" in (found.get(quantity.name), quantity.outcome) else quantity.outcome
    return found


@pytest.mark.parametrize(
    "case_id",
    [
        "num/nc-2x8/float32/exact",
        "num/nc-2x8/float64/exact-gradients",
        "num/nchw/float32/exact-inference",
        "num/nchw/bfloat16-p-float32/exact-inference-gradients",
    ],
)
def test_one_unit_in_the_last_place_is_named_and_not_exact(case_id: str) -> None:
    outcomes = outcome_of(case_id, replace(ALGORITHMS["two-pass, NumPy sums"], root_roundings=2.0)).values()
    assert "degraded(inexact)" in outcomes
    assert "wrong" not in outcomes


@pytest.mark.parametrize(
    ("case_id", "quantity"),
    [
        ("num/nchw/float32/exact-statistics-inference", "inference_y"),
        ("num/nchw/float32/exact-statistics-inference-gradients", "inference_dx"),
        ("num/nchw/float64/exact-statistics-inference-gradients", "inference_dx"),
        ("num/nc-2x8/float32/exact-statistics", "y"),
    ],
)
def test_a_reciprocal_root_of_20_bits_is_wrong_with_counted_roundings(case_id: str, quantity: str) -> None:
    roundings = 16.0 if "float32" in case_id else 2.0**33
    coarse = replace(ALGORITHMS["two-pass, NumPy sums"], root_roundings=roundings)
    assert outcome_of(case_id, coarse)[quantity] == "wrong"


@pytest.mark.parametrize(
    ("name", "case_id"),
    [
        ("reciprocal-root-of-16-bits-in-backward", "num/nc-2x8/float32/exact-statistics-gradients"),
        ("reciprocal-root-of-16-bits-in-backward", "num/nchw/float32/exact-statistics-inference-gradients"),
        ("reciprocal-root-of-20-bits-in-inference", "num/nchw/float64/exact-statistics-inference"),
        ("folded-scale-of-16-bits", "num/nchw/float32/exact-statistics-inference"),
        ("folded-scale-in-float32", "num/nchw/float64/exact-statistics-inference"),
        ("output-rounded-towards-zero", "num/nc-2x8/float16/exact-gradients-rounded-once"),
        ("output-rounded-towards-zero", "num/nc-2x8/bfloat16-p-float32/exact-gradients-rounded-once"),
    ],
)
def test_what_is_lost_on_the_way_is_caught_clearly(name: str, case_id: str) -> None:
    (catch,) = Bench().catches(all_cases()[case_id], [catalogue()[name]])
    assert catch.fails
    assert catch.ratio > ROBUST
