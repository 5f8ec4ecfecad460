"""The text of a failing item: what is wrong first, then the clause and its meaning, then what to run."""

from __future__ import annotations

import pytest
from tests.support.sample_results import item, off_by_three_percent, quantity

from bn_conformance.catalogue import all_cases
from bn_conformance.report.failure import item_line, item_text
from bn_conformance.report.quantity_text import place

CASE = "stat/nc/float32/first-step"


def test_the_first_lines_name_the_quantity_both_numbers_and_the_allowed_error() -> None:
    failing = item("mine", CASE, "wrong", "fail", quantities=(quantity(), off_by_three_percent()), reproduce="command")
    lines = item_text(failing, all_cases()[CASE]).splitlines()
    assert lines[:3] == [
        f"mine is wrong on {CASE}",
        "  running_var[2] in step 0: expected 1.0, got 1.03",
        "    the error 0.03 is 5e4 times the allowed error 1e-7",
    ]
    assert any(line.startswith("  clause STAT-3 (MUST): ") for line in lines)
    meaning = "no algorithm that the suite knows explains the result, or there is one where an error is due"
    assert f"  wrong: {meaning}" in lines
    assert lines[-2:] == [
        "    run it again: command",
        f"    see its data, with code to paste: bnconform show {CASE}",
    ]


def test_an_error_is_told_by_its_message_and_a_saved_case_by_its_file() -> None:
    text = item_text(item("mine", CASE, "errored", "fail", message="ValueError: no"), all_cases()[CASE], "my case.json")
    assert "  ValueError: no" in text.splitlines()
    assert text.endswith("bnconform show 'my case.json'")


def test_numbers_that_no_bound_covers_are_counted() -> None:
    partly = quantity(outcome="wrong", judged=30, total=1200)
    text = item_text(item("mine", CASE, "wrong", "fail", quantities=(partly,)), all_cases()[CASE])
    assert "1,170 of 1,200 elements not judged: no error bound means anything for them" in text


@pytest.mark.parametrize(
    ("name", "index", "words"),
    [
        ("step0.running_var", (7,), "running_var[7] in step 0"),
        ("trajectory1.y", (4, 2), "y[4, 2] in step 1 (carried along from the start)"),
        ("initial.running_mean", (0,), "running_mean[0] before the first step"),
        ("law.shift.dx", (1, 2), "dx[1, 2] under the law shift"),
        ("law.sum-of-dx", (3,), "the law sum-of-dx[3]"),
        ("set.statistics", None, "statistics after they were set"),
        ("repeat", None, "repeat"),
    ],
)
def test_every_name_of_a_quantity_has_words(name: str, index: tuple[int, ...] | None, words: str) -> None:
    assert place(name, index) == words


def test_an_item_fits_a_line() -> None:
    failing = item("mine", CASE, "wrong", "fail", quantities=(off_by_three_percent(),))
    assert item_line(failing) == f"mine {CASE} is wrong: running_var in step 0, ratio 5e+04"
