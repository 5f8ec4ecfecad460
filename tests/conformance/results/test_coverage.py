"""What counts as judged, what that is enough for, and what is said of the rest, from the records of a run alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Literal

import pytest
from tests.support.sample_results import case, item, quantity, results

from bn_conformance.adapter import Capabilities, Convention
from bn_conformance.cases.as_declared import as_declared
from bn_conformance.cases.model import Case
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases
from bn_conformance.judging.clauses import (
    BASE_CLAUSES,
    MASKED_CLAUSES,
    MASKED_SHARDED_CLAUSES,
    OF_REPLICAS,
    SHARDED_CLAUSES,
    clause_of,
)
from bn_conformance.report.html import render_html
from bn_conformance.report.left_out import left_out_lines, ranges
from bn_conformance.report.summary import summarise
from bn_conformance.results.coverage import Coverage, coverage_of
from bn_conformance.results.heard import OF_ONE_QUANTITY, clauses_heard
from bn_conformance.results.merge import merge
from bn_conformance.results.records import CaseInfo, End, Environment, Item
from bn_conformance.targets.description import capabilities_to_json
from bn_reference.specification.clauses import clauses
from bn_reference.specification.enough import minimums

FORWARD = {"modes": ["training"], "statistics": False, "gradients": []}
SILENT = {"quantities": ()}


def coverage(cases: list[CaseInfo], items: list[Item], whole: bool = False, **declared: object) -> Coverage:
    return coverage_of({info.id: info for info in cases}, items, FORWARD | declared, whole=whole)


def several(count: int, outcome: str, **fields: object) -> list[Item]:
    verdict = {"tight": "pass", "wrong": "fail"}.get(outcome, outcome)
    return [item("i", f"fwd/{outcome}-{place}", outcome, verdict, **fields) for place in range(count)]


def covering(items: list[Item], **options: object) -> Coverage:
    return coverage([case(one.case, "FWD-1") for one in items], items, **options)  # type: ignore[arg-type]


def test_half_of_what_the_declaration_covers_is_enough_and_less_is_not() -> None:
    declined = several(4, "unsupported", declined=True, message="eps is a literal", **SILENT)
    assert covering(several(4, "tight") + declined).too_little == ""
    short = covering(several(3, "tight") + declined).too_little
    assert short == "FWD: 3 of 7 cases that its declaration covers were judged, and 4 must be"


@pytest.mark.parametrize(
    ("outcome", "enough"), [("refused", True), ("errored", True), ("not-judged", False), ("unsupported", True)]
)
def test_what_is_not_judged_does_not_count_and_what_is_not_declared_is_not_asked(outcome: str, enough: bool) -> None:
    items = several(2, "tight") + several(3, outcome, message="why", **SILENT)
    assert (covering(items).too_little == "") is enough


def test_where_all_cases_were_selected_each_claim_has_its_minimum() -> None:
    (least,) = (row.cases for row in minimums() if row.clause == "FWD-1")
    assert covering(several(least, "tight"), whole=True).lacking == ()
    few = covering(several(least - 1, "tight"), whole=True)
    assert few.too_little == f"FWD: FWD-1 was judged in {least - 1} cases, and must be in {least}"
    assert covering(several(least - 1, "tight")).lacking == ()


def test_a_claim_is_judged_by_its_quantity_in_whatever_family() -> None:
    (least,) = (row.cases for row in minimums() if row.clause == "FWD-1")
    names = [f"num/{place}" for place in range(least)]
    infos = [case(name, "NUM-1") for name in names]
    items = [item("i", name, quantities=(quantity(clauses=("FWD-1", "NUM-1")),)) for name in names]
    assert coverage([*infos, case("fwd/a", "FWD-1")], [*items, *unsupported("fwd/a")], whole=True).lacking == ()


@pytest.mark.parametrize("kinds", [[], ["equal"], ["equal", "unequal", "empty"]])
def test_who_claims_shards_must_have_something_judged_of_them(kinds: list[str]) -> None:
    (row,) = (row for row in minimums() if row.clause == "SYNC-1")
    infos, nothing = [case(name, "SYNC-1") for name in "ab"], unsupported("a", "b", message="shards are not declared")
    short = "SYNC: SYNC-1 was judged in no case, and must be in 1"
    assert coverage(infos, nothing, shards=kinds, whole=True).too_little.startswith(short) is bool(kinds)
    seen = [item("i", name, quantities=(quantity(clauses=("SYNC-1",)),)) for name in "ab"[: row.cases]]
    assert "SYNC" not in coverage(infos[: row.cases], seen, shards=kinds, whole=True).lacking


def unsupported(*names: str, message: str = "masks are not declared") -> list[Item]:
    return [item("i", name, "unsupported", "unsupported", message=message, **SILENT) for name in names]


def test_a_clause_that_a_case_lists_is_unheard_where_its_quantity_was_not_judged() -> None:
    forward_alone = item("i", "a", quantities=(quantity(clauses=("FWD-1", "FWD-4", "GRAD-1", "EVAL-1")),))
    assert clauses_heard(forward_alone, ("FWD-4", "GRAD-1", "EVAL-1")) == {"FWD-1", "FWD-4"}
    vacuous = replace(forward_alone, quantities=(quantity(outcome="not-judged", clauses=("FWD-1",)),))
    assert clauses_heard(replace(vacuous, verdict="not-judged"), ("FWD-1",)) == set()
    assert clauses_heard(item("i", "a", "refused", "refused"), ("ERR-1",)) == {"ERR-1"}


def test_clauses_of_one_quantity_are_those_that_judging_puts_first() -> None:
    of_tables = {
        clause
        for table in (BASE_CLAUSES, MASKED_CLAUSES, SHARDED_CLAUSES, MASKED_SHARDED_CLAUSES)
        for clause in table.values()
    }
    assert of_tables | {OF_REPLICAS} == OF_ONE_QUANTITY


def test_what_was_left_out_is_told_by_reason_with_the_must_clauses_that_it_silences() -> None:
    infos = [case(f"mask/{place}", f"MASK-{place}") for place in (1, 2, 3, 6)]
    items = unsupported(*(info.id for info in infos))
    told = left_out_lines(coverage(infos, items))
    assert told == ["4 cases: masks are not declared; nothing was judged of MASK-1 to MASK-3"]  # MASK-6 is a SHOULD


def test_what_is_not_judged_has_one_reason_whatever_its_messages_are() -> None:
    items = several(3, "not-judged", message="no bound means anything for step0.y", **SILENT)
    assert [part.cases for part in covering(items).left_out] == [3]


def test_ranges_are_short() -> None:
    assert ranges(["PURE-1", "PURE-3", "PURE-2", "LAW-9", "LAW-10"]) == "PURE-1 to PURE-3, LAW-9, LAW-10"


ENVIRONMENTS = [
    Environment(implementation="i", status="ok", capabilities={"modes": ["inference"]}),
    Environment(implementation="j", status="ok", capabilities={"modes": ["inference"]}),
]


def test_a_report_says_that_too_little_was_judged_and_of_whom() -> None:
    items = [item("i", "a"), item("i", "b"), item("i", "c"), item("j", "a")]
    items += [item("j", name, "unsupported", "unsupported", declined=True, message="no", **SILENT) for name in "bc"]
    run = results(items, environments=ENVIRONMENTS, cases=[case(name, "ERR-1") for name in "abc"])
    summary = summarise(run)
    assert [one.state for one in summary.implementations] == ["ok", "short"]
    assert summary.headline == "? j: too little was judged"
    assert [one.name for one in summary.by_gravity] == ["j", "i"]
    assert "? too little was judged of ERR" in render_html(run)
    assert "1 of 3 cases that its declaration covers were judged, and 2 must be" in summary.notes[0]
    (end,) = (record for record in merge([run]) if isinstance(record, End))
    assert end.exit_code == 3


def test_a_run_that_pytest_was_told_to_cut_down_is_not_short_of_what_it_left_out() -> None:
    declared = Environment(implementation="i", status="ok", capabilities=FORWARD)
    cases = [case("stat/a", "STAT-1"), case("fwd/a", "FWD-1")]
    judged = item("i", "stat/a", quantities=(quantity(clauses=("STAT-1",)),))
    run = results([judged], planned=["i::stat/a"], environments=[declared], cases=cases)
    assert summarise(run).headline == "✓ i conforms"


def test_one_that_declares_less_conforms_as_declared() -> None:
    run = results([item("i", "a"), *unsupported("b")], cases=[case("a", "ERR-1"), case("b", "MASK-1")])
    assert summarise(run).headline == "✓ i conforms as declared"


def test_the_table_names_clauses_and_capabilities_that_exist() -> None:
    rows = minimums()
    assert {row.clause for row in rows} <= set(clauses())
    assert {name for row in rows for name, _ in row.needs} <= set(Capabilities.__dataclass_fields__)
    assert {row.family for row in rows} == {"FWD", "STAT", "EVAL", "GRAD", "MASK", "SAVED", "SECOND", "SYNC", "NUM"}
    assert all(row.needs for row in rows)


NARROW = Capabilities(
    dtypes=frozenset({"float32"}),
    affine=frozenset({"both"}),
    literals=frozenset({"eps", "momentum"}),
    state=False,
    set_statistics=False,
    masks=True,
    second_order=frozenset({"training", "inference"}),
    shards=frozenset({"equal", "masked"}),
)


@pytest.mark.parametrize("rank", [2, 3, 4, 5])
@pytest.mark.parametrize("layout", ["first", "last"])
@pytest.mark.parametrize("state", [False, True])
def test_the_suite_has_enough_cases_for_the_narrowest_layer(
    rank: int, layout: Literal["first", "last"], state: bool
) -> None:
    can = replace(NARROW, ranks=frozenset({rank}), layouts=frozenset({layout}), state=state, set_statistics=state)
    own = [as_declared(case, can, Convention()) for case in all_cases().values() if fits(case.id, can)]
    found = Counter(clause for case in own for clause in quantities_of(case) | {case.clauses[0]})
    claims = [row for row in minimums() if row.claimed(capabilities_to_json(can))]
    assert {row.clause: found[row.clause] for row in claims if found[row.clause] < row.cases} == {}


def quantities_of(case: Case) -> set[str]:
    """Clauses of the quantities that a case surely judges."""
    found: set[str] = set()
    for batch in case.batches:
        names = {"y"} & case.judges | ({"dx"} & case.judges if batch.dy is not None else set())
        names |= {"running_mean", "running_var"} & case.judges if batch.training else set()
        found |= {clause_of(name, batch.training, batch.mask is not None, bool(batch.shards)) for name in names}
        found |= {clause_of("ds_dx", batch.training, False)} if batch.second is not None else set()
    return found


def fits(case_id: str, can: Capabilities) -> bool:
    case = all_cases()[case_id]
    return unsupported_reason(case, can, Convention()) is None and case.expects == "numbers"
