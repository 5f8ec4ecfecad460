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
    found = convention_table(summarise(results([], environments=environments)))
    assert found.baseline == "c"
    assert found.same == ("a",)


def test_implementations_with_the_same_differences_are_one_group() -> None:
    other = TORCH | {"running_variance": "biased"}
    environments = [
        Environment(implementation=name, status="ok", convention=declared)
        for name, declared in (("a", TORCH), ("b", other), ("c", dict(other)), ("d", TORCH))
    ]
    found = convention_table(summarise(results([], environments=environments)))
    assert [difference.implementations for difference in found.differences] == [("b", "c")]
    assert found.same == ("d",)


def test_a_convention_with_values_of_any_kind_makes_a_table() -> None:
    odd = Environment(implementation="b", status="ok", convention={"running_variance": ["x"], "new": None})
    environments = [Environment(implementation="a", status="ok", convention=TORCH), odd]
    found = convention_table(summarise(results([], environments=environments)))
    cells = dict(zip(found.choices, found.rows["b"], strict=True))
    assert (cells["running_variance"].value, cells["new"].value, cells["default_eps"].value) == (
        "x",
        "none",
        "not said",
    )
