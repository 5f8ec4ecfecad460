"""The search: what it draws is within the capabilities, right layers pass, wrong ones are found and made small."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings

from bn_conformance.adapter import Capabilities
from bn_conformance.cases.model import Case
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.cases.views import VIEWS, realise
from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.production import SIZES
from bn_conformance.fuzz.search import SearchResult, search
from bn_conformance.fuzz.strategies import cases
from bn_conformance.judging.item import lost_item
from bn_conformance.mutation.bench import Bench
from bn_conformance.mutation.mutant import ALL_CAPABILITIES
from bn_conformance.results.outcomes import CRASHED
from bn_conformance.results.records import Item
from bn_reference.deviations import catalogue
from bn_reference.specification.clauses import clauses

LITTLE = Capabilities(
    dtypes=frozenset({"float64"}),
    ranks=frozenset({2, 4}),
    gradients=frozenset({"training"}),
    affine=frozenset({"none"}),
    state=False,
    set_statistics=False,
)


LARGEST = 3 * max(prod(place.shape) for places in SIZES.values() for place in places)
"""A later batch may have up to 5 images where the first has 2."""

MUTANTS = (
    "eps-outside-root",
    "raw-moments",
    "running-var-biased",
    "momentum-swapped",
    "dx-without-mean-term",
    "statistics-per-sample",
    "mode-of-the-first-call",
    "gamma-and-beta-swapped",
    "inference-eps-missing",
    "freeze-does-nothing",
)
"""Ten mistakes of different kinds, each of which a search of a fixed seed must find."""


def searched(*deviations: str, configurations: int = 400, seed: int = 7) -> SearchResult:
    bench, wrong = Bench(), [catalogue()[name] for name in deviations]
    return search(lambda case: bench.judge(wrong, case), cases(ALL_CAPABILITIES), 120.0, configurations, seed)


@settings(max_examples=150, deadline=None, database=None)
@given(cases(ALL_CAPABILITIES))
def test_a_drawn_case_has_clauses_and_small_data(case: Case) -> None:
    assert set(case.clauses) <= clauses().keys()
    assert case.family == case.clauses[0].partition("-")[0]
    assert case.id not in all_cases()
    assert all(prod(batch.shape) <= LARGEST for batch in case.batches)


@settings(max_examples=150, deadline=None, database=None)
@given(cases(LITTLE))
def test_a_drawn_case_is_within_the_capabilities(case: Case) -> None:
    assert unsupported_reason(case, LITTLE) is None


@settings(max_examples=100, deadline=None, database=None)
@given(cases(Capabilities(compiles=True, layouts=frozenset({"first", "last"}))))
def test_what_compiles_gets_few_shapes(case: Case) -> None:
    assert all(step.shape[0] in (0, 1, 4) and case.config.num_channels == 3 for step in case.batches)


@settings(max_examples=100, deadline=None, database=None)
@given(cases(ALL_CAPABILITIES, frozenset({"EDGE-4", "NUM-3"})))
def test_clauses_can_be_left_out(case: Case) -> None:
    assert {"EDGE-4", "NUM-3"}.isdisjoint(case.clauses)


def test_capabilities_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        cases(Capabilities(dtypes=frozenset()))


@pytest.mark.parametrize("seed", range(1, 8))
def test_a_right_layer_has_no_violation(seed: int) -> None:
    result = searched(configurations=200, seed=seed)
    assert result.case is None, result.item
    assert result.configurations == 200
    assert result.judged >= 170


@pytest.mark.parametrize(
    ("deviation", "quantity"),
    [
        ("dgamma-is-a-mean", "dgamma"),
        ("beta-rolled", "y"),
        ("dx-gamma-absolute", "dx"),
        ("moves-once-only", "running_mean"),
        ("float64-through-float32", "y"),
        ("bessel-of-batch-size", "running_var"),
        ("statistics-swapped-in-load", "reloaded"),
    ],
)
def test_a_wrong_layer_is_found_and_made_small(deviation: str, quantity: str) -> None:
    result = searched(deviation)
    assert result.case is not None
    assert result.item is not None
    assert result.first_case is not None
    assert result.item.verdict == "fail"
    assert quantity in {entry.name.rpartition(".")[2] for entry in result.item.quantities if entry.outcome == "wrong"}
    size = sum(prod(step.shape) for step in result.case.batches)
    assert size <= sum(prod(step.shape) for step in result.first_case.batches)
    assert size <= 6
    assert len(result.case.steps) <= 3


@pytest.mark.slow
def test_equal_seeds_find_the_same() -> None:
    first, second = searched("beta-rolled"), searched("beta-rolled")
    assert first.case is not None
    assert second.case is not None
    assert (first.configurations, first.case.id) == (second.configurations, second.case.id)


def test_a_smaller_case_fails_in_the_same_way() -> None:
    """Once a large case has a wrong dx, small ones have a wrong dgamma: shrinking may not go from one to the other."""
    bench, failed = Bench(), [False]

    def judge(case: Case) -> Item:
        if max(prod(step.shape) for step in case.batches) >= 12:
            item = bench.judge([catalogue()["dx-gamma-absolute"]], case)
            failed[0] = failed[0] or item.verdict == "fail"
            return item
        return bench.judge([catalogue()["dgamma-is-a-mean"]] if failed[0] else [], case)

    result = search(judge, cases(ALL_CAPABILITIES), 60.0, 1000, 3)
    assert result.item is not None
    wrong = {entry.name.rpartition(".")[2] for entry in result.item.quantities if entry.outcome == "wrong"}
    assert wrong == {"dx"}
    assert result.shrinking > 10


def test_a_crash_is_not_made_smaller() -> None:
    judged: list[str] = []

    def judge(case: Case) -> Item:
        judged.append(case.id)
        return lost_item("x", case, CRASHED, "it is gone")

    result = search(judge, cases(ALL_CAPABILITIES), 60.0, 100, 1)
    assert result.case is not None
    assert len(judged) == 1


def test_time_ends_a_search() -> None:
    bench = Bench()
    result = search(lambda case: bench.judge([], case), cases(ALL_CAPABILITIES), 0.5, 0, 1)
    assert result.case is None
    assert 0.5 <= result.seconds < 3.0


def test_a_layer_that_fails_now_and_then_is_told_so() -> None:
    bench, calls = Bench(), [0]

    def judge(case: Case) -> Item:
        calls[0] += 1
        return bench.judge([catalogue()["all-ones"]] if calls[0] == 5 else [], case)

    result = search(judge, cases(ALL_CAPABILITIES), 60.0, 200, 1)
    assert result.case is not None
    assert result.flaky


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("shape", [(4, 3), (1, 3), (3, 1), (1, 2, 2, 1), (1, 1, 3, 1)])
def test_a_view_never_shares_memory_with_the_data_of_a_case(view: str, shape: tuple[int, ...]) -> None:
    x = np.arange(float(prod(shape))).reshape(shape)
    assert not np.shares_memory(realise(x, view), x)


@pytest.mark.slow
@pytest.mark.parametrize("deviation", MUTANTS)
def test_a_search_of_a_fixed_seed_finds_each_of_ten_mutants(deviation: str) -> None:
    """Bounded by the number of cases, so that it ends alike on every machine."""
    bench, wrong, drawn = Bench(), [catalogue()[deviation]], 0

    def judge(case: Case) -> Item:
        nonlocal drawn
        drawn += 1
        return bench.judge(wrong, case)

    result = search(judge, cases(ALL_CAPABILITIES), float("inf"), 400, 11)
    assert result.case is not None, f"not found in {drawn} cases"


@pytest.mark.slow
def test_a_search_of_a_fixed_seed_finds_nothing_in_a_right_layer() -> None:
    bench = Bench()
    result = search(lambda case: bench.judge([], case), cases(ALL_CAPABILITIES), float("inf"), 400, 11)
    assert result.case is None, result.item
    assert result.configurations == 400


def test_the_sizes_memory_and_ages_of_programs_are_drawn() -> None:
    """Of 1500 cases some have each class of production sizes, a view, an axis of one, and an old layer."""
    seen: list[Case] = []

    def judge(case: Case) -> Item:
        seen.append(case)
        return replace(lost_item("x", case, CRASHED, ""), outcome="tight", verdict="pass")

    search(judge, cases(ALL_CAPABILITIES), float("inf"), 1500, 5)
    shapes = {batch.shape for case in seen for batch in case.batches}
    for what, places in SIZES.items():
        assert shapes & {place.shape for place in places}, what
    assert any(batch.view != "contiguous" for case in seen for batch in case.batches)
    assert any(1 in shape for shape in shapes)
    assert any(len(case.batches) > 10 for case in seen)
