"""A draft of known faults covers what fails and nothing that passes."""

from __future__ import annotations

import tomllib

import pytest
from tests.support.sample_results import item, quantity, results

from bn_conformance.catalogue import all_cases
from bn_conformance.implementations.draft import draft
from bn_conformance.implementations.known_faults import KnownFaultsError, parse_known_faults, require_cases
from bn_conformance.results.records import Item


def entries(text: str) -> list[tuple[str, str | list[str]]]:
    return [(entry["implementation"], entry["case"]) for entry in tomllib.loads(text)["fault"]]


def broken(case: str, *quantities: str, clause: str = "STAT-2") -> Item:
    """An item in which the named quantities are wrong."""
    numbers = tuple(quantity(f"step0.{name}", "wrong", 9.0, clauses=(clause,)) for name in quantities)
    return item("a", case, "wrong", "fail", quantities=numbers)


def failing(implementation: str, *cases: str) -> list[Item]:
    return [item(implementation, case, "wrong", "fail") for case in cases]


def test_cases_that_differ_in_place_and_format_share_an_entry() -> None:
    text = draft(results(failing("a", "edge/nc/float32/empty", "edge/nchw/float64/empty")))
    assert entries(text) == [("a", "edge/*/*/empty")]


def test_no_entry_covers_a_case_that_passes() -> None:
    passing = item("a", "edge/nchw/float32/empty")
    text = draft(results([*failing("a", "edge/nc/float32/empty", "edge/nc/float64/empty"), passing]))
    assert entries(text) == [("a", "edge/nc/*/empty")]


def test_a_case_that_nothing_else_fails_like_has_its_own_entry() -> None:
    passing = [item("a", "edge/nc/float64/empty"), item("a", "edge/nchw/float32/empty")]
    text = draft(results([*failing("a", "edge/nc/float32/empty"), *passing]))
    assert entries(text) == [("a", "edge/nc/float32/empty")]


def test_implementations_have_entries_of_their_own() -> None:
    both = [*failing("a", "edge/nc/float32/empty"), *failing("b", "edge/nc/float32/empty")]
    assert [name for name, _ in entries(draft(results(both)))] == ["a", "b"]


def test_a_draft_must_be_completed_before_it_is_used() -> None:
    text = draft(results(failing('a "quoted"', "edge/nc/float32/empty")))
    with pytest.raises(KnownFaultsError, match="the reason is a draft"):
        parse_known_faults(text, "faults.toml")
    (fault,) = parse_known_faults(text.replace("DRAFT: ", ""), "faults.toml")
    assert fault.implementation == 'a "quoted"'


def test_a_run_without_failures_gives_no_entry() -> None:
    assert tomllib.loads(draft(results([item("a", "edge/nc/float32/empty")]))) == {}


def test_an_entry_that_speaks_of_no_case_is_an_error() -> None:
    text = '[[fault]]\nimplementation = "a"\nreason = "r"\ncase = "edge/nc/flaot32/*"\n'
    with pytest.raises(KnownFaultsError, match=r"faults.toml, line 1: no case matches 'edge/nc/flaot32/\*'"):
        require_cases(parse_known_faults(text, "faults.toml"), ["edge/nc/float32/empty"])


def test_no_entry_covers_a_case_that_was_not_run() -> None:
    text = draft(results(failing("a", "edge/nc/float32/empty")), ["edge/nc/float32/empty", "edge/nchw/float32/empty"])
    assert entries(text) == [("a", "edge/nc/float32/empty")]


def test_what_one_mistake_shows_in_many_quantities_is_one_entry() -> None:
    items = [
        broken("stat/nc/float32/first", "running_var"),
        broken("num/nc/float32/offset-10", "y", "running_var"),
        broken("num/nc/float32/offset-1000", "dx", "running_var"),
        broken("grad/nc/float32/random", "dx", clause="GRAD-1"),
        item("a", "num/nc/float32/random"),
        item("a", "stat/nc/float32/still"),
    ]
    text = draft(results(items))
    assert entries(text) == [
        ("a", ["num/nc/float32/offset-*", "stat/nc/float32/first"]),
        ("a", "grad/nc/float32/random"),
    ]
    assert "running_var is wrong by STAT-2 in 3 cases" in text


def test_of_many_failures_each_is_covered_and_nothing_else() -> None:
    wrong = [case for number, case in enumerate(all_cases()) if number % 3 == 0 or case.startswith("num/")]
    items = [item("a", case, *(("wrong", "fail") if case in {*wrong} else ())) for case in all_cases()]
    text = draft(results(items), [*all_cases()])
    (fault,) = parse_known_faults(text.replace("DRAFT: ", ""), "faults.toml")
    assert [case.id for case in all_cases().values() if fault.covers(case)] == wrong
    assert len(fault.patterns) < len(wrong)


def test_a_list_of_patterns_holds_texts_alone() -> None:
    text = '[[fault]]\nimplementation = "a"\nreason = "r"\ncase = ["edge/*", 3]\n'
    with pytest.raises(KnownFaultsError, match=r"line 1: case is .* give a text, or a list of texts"):
        parse_known_faults(text, "faults.toml")
