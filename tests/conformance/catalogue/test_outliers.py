"""One value far from all others: right algorithms give sqrt(n - 1), and what clips it, on either pass, fails."""

from __future__ import annotations

import numpy as np
import pytest
from tests.measure.false_alarms import applies
from tests.support.judge_algorithms import judged, samples

from bn_conformance.algorithms.algorithm import ALGORITHMS, RAW_MOMENTS
from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases
from bn_conformance.mutation.bench import Bench
from bn_conformance.mutation.catch import ROBUST
from bn_reference.deviations import catalogue

CASES = [case for case in all_cases().values() if "/outlier-" in case.id or case.id.endswith("/mixed-scales")]
OUTLIERS = [case for case in CASES if "/outlier-" in case.id]


def ids(cases: list[Case]) -> list[str]:
    return [case.id for case in cases]


@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_every_right_algorithm_passes(case: Case) -> None:
    for name, algorithm in ALGORITHMS.items():
        if applies(algorithm, case.config.dtype):
            allowed = {"exact", "tight"} if algorithm.grade == "tight" else {"exact", "tight", "stable"}
            assert {found.outcome for found in judged(case, algorithm)} <= allowed, name


@pytest.mark.parametrize("case", OUTLIERS, ids=ids(OUTLIERS))
def test_the_outlier_comes_out_as_the_root_of_n(case: Case) -> None:
    ((sample, _),) = samples(case)
    normalised = (sample.x - sample.x.mean(axis=1, keepdims=True)) / np.sqrt(
        sample.x.var(axis=1, keepdims=True) + sample.eps
    )
    assert normalised.max(axis=1) == pytest.approx(np.sqrt(sample.count - 1), rel=1e-4)


def test_raw_moments_are_wrong_where_the_outlier_is_small_beside_the_mean() -> None:
    case = all_cases()["num/nc-257x3/float64/outlier-0.0078125"]
    assert "degraded(raw-moments)" in {found.outcome for found in judged(case, RAW_MOMENTS)}


@pytest.mark.parametrize(
    ("name", "case_id"),
    [
        ("normalised-clipped-to-10", "num/nc-257x3/float32/outlier-0.0078125"),
        ("normalised-clipped-to-10", "num/nc-257x3/float16/outlier-64"),
        ("normalised-clipped-to-10", "num/nc-257x3/bfloat16/outlier-4096"),
        ("normalised-clipped-to-30", "num/nc-4096x3/float32/outlier-64"),
        ("normalised-clipped-to-50", "num/nc-4096x3/float64/outlier-4096"),
        ("normalised-clipped-in-backward", "num/nc-257x3/float32/outlier-64"),
        ("normalised-clipped-in-backward", "num/nc-257x3/float16/outlier-64"),
        ("variance-at-least-1e-5", "num/nchw/float16/mixed-scales"),
        ("variance-at-most-1e4", "num/nchw/bfloat16/mixed-scales"),
    ],
)
def test_clips_and_clamps_are_caught_clearly(name: str, case_id: str) -> None:
    (catch,) = Bench().catches(all_cases()[case_id], [catalogue()[name]])
    assert catch.fails
    assert catch.ratio > ROBUST
