"""Tallies and problems: what goes wrong in the same way is told once, and everything is counted."""

from __future__ import annotations

from math import inf, nan

import pytest
from tests.support.sample_declarations import CLAUSES
from tests.support.sample_matrix import realistic
from tests.support.sample_results import case, item, quantity, results

from bn_conformance.report.legend import OUTCOME_KINDS, SIGNS, outcome_kind, sign
from bn_conformance.report.strip_plot import worst_ratio
from bn_conformance.report.summary import summarise
from bn_conformance.results.outcomes import NO_REFUSAL, ItemVerdict, outcome_rank


def test_every_outcome_has_a_kind() -> None:
    for kind in OUTCOME_KINDS:
        outcome = "degraded(x)" if kind.name == "degraded" else kind.name
        outcome_rank(outcome)
        assert outcome_kind(outcome) is kind


def test_five_signs_with_symbols_of_their_own_show_every_verdict() -> None:
    shown = {sign(verdict) for verdict in ItemVerdict}
    assert shown == set(SIGNS)
    assert len({one.symbol for one in SIGNS}) == len({one.colour for one in SIGNS}) == len(SIGNS) == 5


@pytest.mark.parametrize(
    ("verdict", "name", "symbol"),
    [
        ("fail", "fail", "✕"),
        ("warn", "warn", "▲"),
        ("known-fault", "known", "◆"),
        ("pass", "ok", "✓"),
        ("refused", "ok", "✓"),
        ("not-judged", "absent", "–"),
        ("unsupported", "absent", "–"),
    ],
)
def test_the_verdict_gives_colour_and_symbol(verdict: str, name: str, symbol: str) -> None:
    shown = sign(verdict)
    assert (shown.name, shown.symbol) == (name, symbol)


def test_totals_add_up() -> None:
    written = realistic(count=120)
    summary = summarise(written)
    assert summary.tally.total == len(written.header.planned)
    assert summary.tally.kinds["missing"] == len(written.missing()) == 3
    assert sum(implementation.tally.total for implementation in summary.implementations) == summary.tally.total
    assert sum(summary.case_tally(name).total for name in summary.cases) == summary.tally.total
    for implementation in summary.implementations:
        assert sum(tally.total for tally in implementation.families.values()) == len(implementation.entries)
        for verdict in (ItemVerdict.FAIL, ItemVerdict.WARN, ItemVerdict.KNOWN):
            assert (
                sum(len(group.entries) for group in implementation.problems(verdict))
                == implementation.tally.verdicts[verdict]
            )
    for verdict in (ItemVerdict.FAIL, ItemVerdict.WARN, ItemVerdict.KNOWN):
        assert sum(len(fault.entries) for fault in summary.problems(verdict)) == summary.tally.verdicts[verdict]


def test_of_an_item_that_was_reported_twice_the_later_counts() -> None:
    summary = summarise(results([item("i", "a", "crashed", "fail"), item("i", "a")]))
    assert summary.tally.total == 1
    assert summary.state == "ok"


def test_families_come_in_the_order_of_the_clauses() -> None:
    families = [name.partition("-")[0] for name, _, _ in CLAUSES]
    assert list(summarise(realistic(count=120)).families) == list(dict.fromkeys(families))


def test_the_worst_quantity_is_one_that_was_judged() -> None:
    judged, other = quantity("a", ratio=0.1), quantity("b", "not-judged", ratio=nan)
    entry = summarise(results([item("i", "a", quantities=(other, judged))])).cases["a"]["i"]
    assert entry.worst is judged
    assert worst_ratio(entry) == 0.1


@pytest.mark.parametrize(("ratios", "worst"), [((0.5, 2.0), 1), ((inf, 2.0), 0), ((2.0, nan), 1), ((None, 0.1), 1)])
def test_the_worst_quantity_has_the_largest_ratio(ratios: tuple[float, ...], worst: int) -> None:
    quantities = tuple(quantity(f"q{place}", ratio=ratio) for place, ratio in enumerate(ratios))
    entry = summarise(results([item("i", "a", quantities=quantities)])).cases["a"]["i"]
    assert entry.worst is quantities[worst]


def test_faults_of_other_outcomes_or_clauses_stay_apart() -> None:
    items = [
        item("i", "a", "wrong", "fail"),
        item("i", "b", "errored", "fail", message="no"),
        item("i", "d", "wrong", "fail", quantities=(quantity(outcome="wrong", clauses=("GRAD-1",)),)),
        item("i", "e", "wrong", "fail", quantities=(quantity("step9.dx", outcome="wrong"),)),
    ]
    faults = summarise(results(items)).problems(ItemVerdict.FAIL)
    assert [fault.outcome for fault in faults] == ["errored", "wrong", "wrong"]
    assert faults[1].what == "y, dx"
    assert len(faults[1].entries) == 2


def test_an_error_is_one_fault_whatever_the_clauses_of_its_cases() -> None:
    clauses = ["FWD-1", "STAT-1", "EVAL-1", "GRAD-1", "EDGE-1", "FWD-2"]
    items = [item("i", name, "errored", "fail", message=f"no file {name}, line 3") for name in "123456"]
    cases = [case(name, clause) for name, clause in zip("123456", clauses, strict=True)]
    (fault,) = summarise(results(items, cases=cases)).problems(ItemVerdict.FAIL)
    assert fault.sentence.startswith("errored, clauses FWD-1, STAT-1, EVAL-1, GRAD-1 and 2 more: no file ")


def test_an_error_is_one_fault_whether_or_not_a_clause_allows_one() -> None:
    messages = ("ValueError: no weight", f"ValueError: no weight ({NO_REFUSAL})")
    items = [item("i", str(place), "errored", "fail", message=text) for place, text in enumerate(messages)]
    assert len(summarise(results(items)).problems(ItemVerdict.FAIL)) == 1


def test_what_most_failures_share_comes_first_however_grave_another_is() -> None:
    crash = item("i", "crash", "crashed", "fail", message="it ended")
    wrong = [item("i", f"wrong-{place}", "wrong", "fail") for place in range(3)]
    first, second = summarise(results([crash, *wrong])).problems(ItemVerdict.FAIL)
    assert (first.outcome, second.outcome) == ("wrong", "crashed")


def test_a_known_fault_is_one_fault_whatever_it_breaks() -> None:
    items = [
        item("i", "a", "wrong", "known-fault", known_fault="float64 is float32"),
        item("j", "b", "errored", "known-fault", known_fault="float64 is float32"),
    ]
    (fault,) = summarise(results(items)).problems(ItemVerdict.KNOWN)
    assert [group.implementation for group in fault.parts] == ["i", "j"]


def test_the_share_that_was_not_judged_is_counted_in_elements() -> None:
    summary = summarise(results([item("i", "a", quantities=(quantity(judged=30, total=120),))]))
    assert (summary.elements_judged, summary.elements_total) == (30, 120)


def test_a_wrong_result_that_only_warns_is_reported_under_the_clause_that_lets_it() -> None:
    wrong = quantity(outcome="wrong", clauses=("FWD-1", "NUM-4"))
    items = [item("i", "a", "wrong", "warn", quantities=(wrong,))]
    (fault,) = summarise(results(items, cases=[case("a", "NUM-4")])).problems(ItemVerdict.WARN)
    assert fault.clauses == ["NUM-4"]
    items = [item("i", "a", "wrong", "fail", quantities=(wrong,))]
    (fault,) = summarise(results(items, cases=[case("a", "NUM-4")])).problems(ItemVerdict.FAIL)
    assert fault.clauses == ["FWD-1"]


def test_a_run_that_judged_nothing_says_what_is_lacking() -> None:
    said = {"a": "rank 4 is not declared", "b": "rank 4 is not declared", "c": "float32 is not declared"}
    items = [item("i", name, "unsupported", "unsupported", message=message) for name, message in said.items()]
    (note,) = summarise(results(items, cases=[case(name, "FWD-1") for name in said])).notes
    assert "rank 4 is not declared (2 cases), float32 is not declared (1 case)" in note
