"""The worst inputs that the attack on the bounds found still reach the ratios on record, and none is outside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.measure.worst_inputs import TABLE, searched, table
from tests.support.judge_samples import GRADE_OF
from tests.support.tables_in_documents import kept_table
from tests.support.worst_inputs import ALL_QUANTITIES, ATTACKS, Attack, WorstInput, golden_of, reached


def ratio(attack: Attack, quantity: str, worst: WorstInput) -> float:
    sample, algorithm = worst.sample(attack.dtype), attack.algorithms[worst.algorithm]
    (found,) = reached(GRADE_OF[attack.grade], algorithm, sample, quantity, golden_of(sample, quantity))
    return float(found)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.path.stem)
def test_the_worst_inputs_reach_their_ratios_and_stay_inside(attack: Attack) -> None:
    kept = attack.read()
    assert tuple(kept) == ALL_QUANTITIES
    for quantity, worst in kept.items():
        again = ratio(attack, quantity, worst)
        assert again <= 1.0, quantity
        assert again == pytest.approx(worst.ratio, rel=1e-6), quantity


def test_another_bound_would_be_seen() -> None:
    attack = ATTACKS[0]
    worst = attack.read()["y"]
    sample, tighter = worst.sample(attack.dtype), replace(GRADE_OF[attack.grade], safety=3.9)
    expected = golden_of(sample, "y")
    (found,) = reached(tighter, attack.algorithms[worst.algorithm], sample, "y", expected)
    assert found > worst.ratio * 1.01


def test_the_table_in_the_document_is_that_of_the_files() -> None:
    assert kept_table(TABLE) == table()


def test_the_search_finds_more_with_more_generations_and_never_less_than_it_knows() -> None:
    attack = replace(ATTACKS[0], counts=(3,))
    first, later = (searched(attack, "dbeta", generations, 1, None).ratio for generations in (0, 12))
    assert first < later
    known = attack.read()["dbeta"]
    assert searched(attack, "dbeta", 0, 2, known).ratio >= known.ratio


def test_what_is_kept_of_a_sample_is_the_sample() -> None:
    attack = ATTACKS[0]
    sample = attack.read()["dx"].sample(attack.dtype)
    again = WorstInput.of("Welford", 0.5, sample, None, None).sample(attack.dtype)
    for name in ("x", "dy", "gamma", "beta", "running_mean", "running_variance"):
        np.testing.assert_array_equal(getattr(again, name), getattr(sample, name))
