"""Text as a person may be shown it."""

from __future__ import annotations

from math import inf, nan

import pytest

from bn_conformance.text import did_you_mean, exact_number, number, one_line, percent, plain, printable, slugs

SHORT = {
    "": None, "0": 0.0, "0.25": 0.25, "3.1e5": 3.14159e5, "1234": 1234.0, "100": 99.6, "1e-7": 1e-7, "-1e-5": -1e-5,
    "NaN": nan, "inf": inf, "-inf": -inf, "4.9e-324": 5e-324, "1e308": 1e308, "3": 3,
}  # fmt: skip


@pytest.mark.parametrize("shown", SHORT)
def test_numbers_are_short(shown: str) -> None:
    assert number(SHORT[shown]) == shown


def test_exact_numbers_keep_all_digits() -> None:
    assert exact_number(0.1 + 0.2) == "0.30000000000000004"
    assert (exact_number(None), exact_number(nan), exact_number(1)) == ("", "NaN", "1.0")


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 0, "0 %"),
        (0, 5, "0 %"),
        (1, 10**6, "under 0.1 %"),
        (1, 2, "50 %"),
        (5, 5, "100 %"),
        (99999, 10**5, "over 99.9 %"),
    ],
)
def test_a_share_is_never_rounded_to_nothing_or_to_all(part: int, whole: int, shown: str) -> None:
    assert percent(part, whole) == shown


def test_text_loses_only_what_disturbs() -> None:
    assert printable("\x1b[1;31m\\x1b[1ma\x1b[0m\x1b[2J\tb\r\nc\u202e\ud800é✓\n") == "a\\x1b[2J\tb\nc\\u202e\\ud800é✓\n"
    assert one_line("a\n  b\t c") == "a b c"
    assert one_line("x" * 10, 5) == "xxxx…"


def test_values_are_written_as_a_person_would() -> None:
    assert plain({"a": 1e-5, "b": True, "c": None, "d": [["float16", "float32"], "x"], "e": [], "f": {}}) == (
        "a 1e-5, b yes, c none, d float16/float32, x, e none, f none"
    )


def test_anchors_are_unique_and_safe() -> None:
    names = ["torch.nn", "torch-nn", "TORCH NN", "<>", "", "a--2", "a", "A"]
    found = slugs("i", names)
    assert len(set(found.values())) == len(names)
    assert all(set(anchor) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for anchor in found.values())


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("keras", "; did you mean keras[jax]?"),
        ("torch.n", "; did you mean torch.nn?"),
        ("trch.nn", "; did you mean torch.nn?"),
        ("Torch.NN", "; did you mean torch.nn?"),
        ("something", "; there are keras[jax], torch.nn"),
        ("", "; there are keras[jax], torch.nn"),
    ],
)
def test_a_name_that_is_not_there_leads_to_those_that_it_may_mean(name: str, end: str) -> None:
    assert did_you_mean(name, ["keras[jax]", "torch.nn"], "there are keras[jax], torch.nn") == end
