"""No right implementation is called wrong, and the count that says so can be other than 0."""

from __future__ import annotations

import pytest
from tests.measure.false_alarms import FORMAT_PAIRS, SEEDS, judged_samples, lines, table, tally
from tests.support.figures import Figures

from bn_conformance.algorithms.algorithm import ALGORITHMS, RAW_MOMENTS, STORAGE


@pytest.mark.slow
def test_no_right_implementation_gives_a_false_alarm_on_a_thousand_seeds_of_each_format(figures: Figures) -> None:
    tallies = table(ALGORITHMS)
    for line in lines(tallies):
        figures(line)
    assert all(tally.seeds == SEEDS for tally in tallies.values())
    assert len({name for name, _ in tallies}) >= 10
    assert sum(tally.alarms for tally in tallies.values()) == 0


@pytest.mark.parametrize(("dtype", "parameter_dtype"), FORMAT_PAIRS)
def test_no_right_implementation_gives_a_false_alarm_on_a_few_seeds(dtype: str, parameter_dtype: str) -> None:
    tallies = table(ALGORITHMS, [(dtype, parameter_dtype)], seeds=40)
    assert sum(tally.alarms for tally in tallies.values()) == 0, lines(tallies)


def test_an_unstable_implementation_gives_alarms() -> None:
    judged = judged_samples("float32", "float32", seeds=40)
    assert tally(RAW_MOMENTS, judged).alarms > 10


def test_arithmetic_in_the_storage_format_gives_alarms() -> None:
    judged = judged_samples("bfloat16", "bfloat16", seeds=40)
    assert tally(STORAGE, judged).alarms > 10
