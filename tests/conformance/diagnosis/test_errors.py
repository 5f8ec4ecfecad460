"""Failing cases that end in an error are said with the errors, and with the cause where a clause names one."""

from __future__ import annotations

from bn_conformance.catalogue import all_cases
from bn_conformance.diagnosis.errors import errors_sentence
from bn_conformance.results.records import Item

KEEPS = "state raised RuntimeError: only leaves can be copied (layer.py, line {})"
TWICE = "backward raised RuntimeError: a graph was gone through twice"


def sentence(*failing: tuple[str, str]) -> str:
    """What is said of cases, each with its error."""
    items = [
        Item(implementation="i", case=case, outcome="errored", verdict="fail", message=text) for case, text in failing
    ]
    return errors_sentence([(item, all_cases()[item.case]) for item in items])


def test_the_most_frequent_errors_are_named_wherever_they_were_raised() -> None:
    said = sentence(
        ("state/nc/float32/after-1", KEEPS.format(3)),
        ("state/nc/float32/after-100", KEEPS.format(4)),
        ("grad/nc/float32/random", TWICE),
        ("fwd/nc/float32/random", "forward raised OverflowError: too large"),
    )
    assert said == (
        "4 failing cases left: each ends in an error, before there is a number to compare: state raised RuntimeError: "
        "only leaves can be copied (2); backward raised RuntimeError: a graph was gone through twice (1); and 1 other "
        "error."
    )


def test_statistics_that_keep_a_graph_are_the_cause_where_its_clause_is_broken() -> None:
    kept = next(case for case in all_cases().values() if case.clauses[0] == "PURE-8")
    said = sentence((kept.id, TWICE))
    assert said.startswith("A step keeps more than numbers of the steps before it")
    assert "detach them before they are stored (PURE-8). 1 failing case left: each ends in an error" in said


def test_a_long_error_is_cut() -> None:
    said = sentence(("fwd/nc/float32/random", "forward raised ValueError: " + "x" * 500))
    assert said.endswith("xxx... (1).")
    assert len(said) < 220
