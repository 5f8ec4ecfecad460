"""The table of conventions beside a baseline."""

from __future__ import annotations

from tests.support.sample_declarations import TORCH
from tests.support.sample_results import results

from bn_conformance.report.convention_table import convention_table
from bn_conformance.report.summary import summarise
from bn_conformance.results.records import Environment


def test_the_baseline_is_the_first_implementation_that_was_judged() -> None:
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
