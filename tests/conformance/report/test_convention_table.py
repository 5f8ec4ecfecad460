"""The table of conventions beside a baseline."""

from __future__ import annotations

from typing import Any

from tests.support.sample_declarations import TEXTBOOK, TORCH
from tests.support.sample_results import results

from bn_conformance.report.convention_table import convention_table
from bn_conformance.report.summary import summarise
from bn_conformance.results.records import Environment


def baseline_of(*declared: tuple[str, str, dict[str, Any]]) -> str | None:
    environments = [Environment(implementation=name, status=status, convention=said) for name, status, said in declared]
    return convention_table(summarise(results([], environments=environments))).baseline


def test_the_baseline_is_torch_nn_and_without_it_the_convention_that_most_share() -> None:
    others = [("a", "ok", TEXTBOOK), ("b", "ok", TORCH), ("c", "ok", TORCH)]
    assert baseline_of(*others, ("torch.nn", "ok", TORCH)) == "torch.nn"
    assert baseline_of(*others, ("torch.nn", "not-installed", TORCH)) == "b"
    assert baseline_of(("a", "broken", TEXTBOOK)) == "a"
    assert baseline_of(("a", "ok", {})) is None


def test_what_could_not_be_judged_is_no_baseline_where_something_was() -> None:
    environments = [
        Environment(implementation="a", status="not-installed", convention=TORCH),
        Environment(implementation="b", status="ok"),
        Environment(implementation="c", status="ok", convention=TORCH),
    ]
    conventions = convention_table(summarise(results([], environments=environments)))
    assert conventions.baseline == "c"
    assert conventions.same == ("a",)


def test_implementations_with_the_same_differences_are_one_group() -> None:
    other = TORCH | {"running_variance": "biased"}
    environments = [
        Environment(implementation=name, status="ok", convention=declared)
        for name, declared in (("a", TORCH), ("b", other), ("c", dict(other)), ("d", TORCH))
    ]
    conventions = convention_table(summarise(results([], environments=environments)))
    assert [difference.implementations for difference in conventions.differences] == [("b", "c")]
    assert conventions.same == ("d",)


def test_a_convention_with_values_of_any_kind_makes_a_table() -> None:
    odd = Environment(implementation="b", status="ok", convention={"running_variance": ["x"], "new": None})
    environments = [Environment(implementation="a", status="ok", convention=TORCH), odd]
    conventions = convention_table(summarise(results([], environments=environments)))
    cells = dict(zip(conventions.choices, conventions.rows["b"], strict=True))
    assert (cells["running_variance"].value, cells["new"].value, cells["default_eps"].value) == (
        "x",
        "none",
        "not said",
    )
