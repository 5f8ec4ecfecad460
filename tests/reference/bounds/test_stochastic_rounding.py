"""Errors of an arithmetic that rounds at random stay inside the bounds, and do not vanish beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.measure.stochastic_rounding import SUBJECTS, TABLE, Subject, row, spread, table
from tests.support.tables_in_documents import kept_table
from tests.support.worst_inputs import ALL_QUANTITIES

from bn_conformance.algorithms.stochastic import rounding_at_random

FEW = ("mean", "y", "dx", "dgamma", "running_var", "inference_y")


def test_an_operation_rounds_to_a_neighbour_and_is_right_on_average() -> None:
    one, third = np.ones(20_000, np.float32).view(rounding_at_random(1)), np.float32(2.0**-24 / 3)
    results = np.asarray(one + third)
    assert set(results.tolist()) == {1.0, 1.0 + 2.0**-23}
    assert (results > 1.0).mean() == pytest.approx(1 / 6, abs=0.01)
    assert (np.asarray(one + one) == 2.0).all()


def test_a_sum_is_of_single_operations() -> None:
    rows = np.ones((1, 3), np.float32).view(rounding_at_random(1))
    with pytest.raises(TypeError, match=r"add\.reduce is no single operation; add up with another sum"):
        rows.sum(axis=1)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.words)
def test_errors_stay_inside_the_bounds(subject: Subject) -> None:
    for quantity in ALL_QUANTITIES:
        found = spread(subject, quantity, 2)
        assert not found.judged or found.largest <= 1.0, quantity


def test_errors_are_no_orders_below_the_bounds_of_short_channels() -> None:
    for quantity in FEW:
        assert spread(SUBJECTS[0], quantity, 16).largest > 0.01, quantity


def test_errors_would_leave_bounds_a_hundred_times_tighter() -> None:
    tighter = replace(SUBJECTS[0], grade=replace(SUBJECTS[0].grade, safety=0.04))
    assert spread(tighter, "y", 2).largest > 1.0


def test_the_document_has_what_is_measured() -> None:
    kept = kept_table(TABLE)
    assert row(SUBJECTS[0], 2) in kept
    assert len(kept) == 2 + sum(len(subject.counts) for subject in SUBJECTS)


@pytest.mark.slow
def test_the_document_has_the_whole_table() -> None:
    assert kept_table(TABLE) == table()
