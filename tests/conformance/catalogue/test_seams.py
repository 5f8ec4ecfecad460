"""Spikes at the seams of blocks: right sums of long channels pass in any order; a value that is lost there fails."""

from __future__ import annotations

import numpy as np
import pytest
from tests.measure.false_alarms import applies
from tests.support.judge_algorithms import judged

from bn_conformance.algorithms.algorithm import ALGORITHMS, Algorithm
from bn_conformance.algorithms.sums import Rows, Sum, Vector, numpy_sum
from bn_conformance.cases.model import Case
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.cases.spikes import spikes_of
from bn_conformance.catalogue import all_cases

SEAMS = [case for case in all_cases().values() if case.id.endswith("/seams")]
LONGEST = all_cases()["num/nc-32769x1/float32/seams"]


def ids(cases: list[Case]) -> list[str]:
    return [case.id for case in cases]


@pytest.mark.parametrize("case", SEAMS, ids=ids(SEAMS))
def test_every_right_algorithm_sums_them_within_its_bound(case: Case) -> None:
    for name, algorithm in ALGORITHMS.items():
        if applies(algorithm, case.config.dtype):
            allowed = {"exact", "tight"} if algorithm.grade == "tight" else {"exact", "tight", "stable"}
            assert {found.outcome for found in judged(case, algorithm)} <= allowed, name


@pytest.mark.parametrize("count", [2, 3, 100, 2112, 4920, 5000, 32769])
def test_the_sum_is_zero_and_the_ends_are_spikes(count: int) -> None:
    rows = DataRecipe(kind="seams", scale=32.0).rows(3, count)
    assert np.array_equal(rows.sum(axis=1), np.zeros(3))
    assert np.all(np.abs(rows[:, spikes_of(count)]) >= 32.0)
    assert {0, count - 1} <= set(spikes_of(count))


def without(place: int) -> Sum:
    """Sums that leave out one of the values."""

    def add(rows: Rows) -> Vector:
        return numpy_sum(np.delete(rows, place, axis=1))

    return add


@pytest.mark.parametrize("block", [4, 8, 32, 256, 1024, 8192, 10, 100, 1000, 10000])
@pytest.mark.parametrize("which", ["first", "last"])
def test_a_value_that_is_lost_before_or_behind_a_seam_fails(block: int, which: str) -> None:
    """Of 32,769 values: the bound of a sum is a third of a thousandth of it, and a value usually far less."""
    count = LONGEST.batches[0].shape[0]
    seam = block if which == "first" else (count - 1) // block * block
    for place in (seam - 1, min(seam, count - 1)):
        found = {quantity.name: quantity.outcome for quantity in judged(LONGEST, Algorithm(add=without(place)))}
        assert found["running_var"] == found["y"] == "wrong", place
