"""16-bit data beyond 16 bits: right algorithms pass, and what squares, adds up or stores in 16 bits fails."""

from __future__ import annotations

import numpy as np
import pytest
from tests.measure.false_alarms import applies
from tests.support.judge_algorithms import judged

from bn_conformance.algorithms.algorithm import ALGORITHMS, STORAGE
from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases, narrow
from bn_conformance.catalogue.build import positive, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16, F16, NC, FormatPair
from bn_conformance.mutation.bench import Bench
from bn_conformance.mutation.catch import ROBUST, is_caught
from bn_reference.deviations import catalogue

CASES = list(narrow.cases())
NARROW = [case for case in CASES if "DTYPE-2" in case.clauses]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_every_right_algorithm_passes(case: Case) -> None:
    for name, algorithm in ALGORITHMS.items():
        if not applies(algorithm, case.config.dtype) or (algorithm.rounds == "paths" and "overflow" in case.id):
            continue  # rounded paths overflow where they are stored in float16
        allowed = {"exact", "tight"} if algorithm.grade == "tight" else {"exact", "tight", "stable"}
        assert {found.outcome for found in judged(case, algorithm)} <= allowed, name


@pytest.mark.parametrize("case", NARROW, ids=[case.id for case in NARROW])
def test_arithmetic_in_the_storage_format_is_wrong(case: Case) -> None:
    with np.errstate(all="ignore"):
        assert "wrong" in {found.outcome for found in judged(case, STORAGE)}


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("squares-in-storage", "overflow-squares-300"),
        ("squares-in-storage", "overflow-differences"),
        ("float16-sum-before-division", "overflow-sums"),
        ("float16-gradient-sum-stored", "overflow-gradient-sums"),
        ("gradient-products-in-storage", "overflow-gradient-sums"),
        ("dx-multiplied-out-in-storage", "overflow-gradient-sums"),
        ("float16-gradient-sums", "long-gradient-sums"),
        ("float16-sums", "long-sums"),
    ],
)
@pytest.mark.parametrize("formats", ["float16", "float16-p-float32"])
def test_float16_on_the_way_is_caught_clearly(name: str, variant: str, formats: str) -> None:
    layout = "nc-4096x3" if variant.startswith("long") else "nchw"
    (catch,) = Bench().catches(all_cases()[f"dtype/{layout}/{formats}/{variant}"], [catalogue()[name]])
    assert catch.fails
    assert catch.ratio > ROBUST


@pytest.mark.parametrize("formats", ["bfloat16", "bfloat16-p-float32"])
@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("bfloat16-running-sums", "long-sums"),
        ("bfloat16-gradient-sums", "long-gradient-sums"),
        ("bfloat16-gradient-sums", "long-inference-gradient-sums"),
    ],
)
def test_sums_that_stop_growing_are_caught_clearly(name: str, variant: str, formats: str) -> None:
    (catch,) = Bench().catches(all_cases()[f"dtype/nc-4096x3/{formats}/{variant}"], [catalogue()[name]])
    assert catch.fails
    assert catch.ratio > ROBUST


@pytest.mark.parametrize(
    ("formats", "name", "count", "outcome"),
    [
        (BF16, "bfloat16-running-sums", 8, "degraded(storage-precision)"),
        (BF16, "bfloat16-running-sums", 64, "wrong"),
        (F16, "float16-sums", 26, "degraded(storage-precision)"),
        (F16, "float16-sums", 4096, "wrong"),
    ],
)
def test_sums_in_storage_have_a_name_where_they_are_short(
    formats: FormatPair, name: str, count: int, outcome: str
) -> None:
    place = NC.resized(count, 3).of(formats)
    case = Family().case(place, "sums", "sums", "DTYPE-2", train(place, positive(44), positive(45)))
    item = Bench().judge([catalogue()[name]], case)
    assert item.outcome == outcome
    assert is_caught(item) == (outcome == "wrong")
