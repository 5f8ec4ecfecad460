"""Right algorithms as layers: no case calls one of them wrong, or worse than it is."""

from __future__ import annotations

import pytest
from tests.measure.right_layers import alarms, cases_for, judged

from bn_conformance.algorithms.algorithm import ALGORITHMS, RAW_MOMENTS

STEP = 80
"""The program judges all cases, this test one in so many, others for each algorithm."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ALGORITHMS)
def test_no_case_gives_an_alarm_on_a_right_algorithm(name: str) -> None:
    algorithm = ALGORITHMS[name]
    cases = cases_for(algorithm)[list(ALGORITHMS).index(name) :: STEP]
    assert cases
    assert list(alarms(judged(algorithm, cases))) == []


def test_an_unstable_algorithm_gives_alarms() -> None:
    cases = cases_for(RAW_MOMENTS, "num/nc/float32/offset-*")
    assert len(list(alarms(judged(RAW_MOMENTS, cases)))) >= 2
