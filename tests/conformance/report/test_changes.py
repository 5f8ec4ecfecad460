"""Comparing two runs: only what changed is told, and only what got worse counts."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console
from tests.support.sample_declarations import TORCH
from tests.support.sample_matrix import realistic
from tests.support.sample_results import HOSTILE_TEXT, item, quantity, results

from bn_conformance.report.change_groups import change_parts
from bn_conformance.report.changes import Changes, changes_between, common_changes
from bn_conformance.report.changes_html import changes_html
from bn_conformance.report.changes_json import changes_json
from bn_conformance.report.changes_markdown import changes_markdown
from bn_conformance.report.changes_terminal import print_changes
from bn_conformance.results.file import Results
from bn_conformance.results.records import Environment, Item, StaleFault
from bn_conformance.user_error import UserError

STALE = StaleFault(entry="torch.nn x", file="known.toml", line=3, message="delete lines 3 to 5")


def ids(changes: tuple[Any, ...]) -> list[str]:
    return [change.id for change in changes]


def of(outcome: str, verdict: str) -> Results:
    return results([item("i", "a", outcome, verdict, quantities=())], planned=["i::a"])


def printed(comparison: Changes, width: int = 80) -> str:
    stream = StringIO()
    print_changes(comparison, Console(file=stream, width=width))
    return stream.getvalue()


def test_the_same_run_twice_changes_nothing() -> None:
    run = replace(realistic(count=60), end=results().end)
    comparison = changes_between(run, run)
    assert comparison.empty
    assert not comparison.regressed
    assert printed(comparison).split() == ["✓", "Nothing", "changed."]


PASS, WARN, FAIL = ("tight", "pass"), ("degraded(raw-moments)", "warn"), ("wrong", "fail")
KNOWN, UNSUPPORTED = ("wrong", "known-fault"), ("unsupported", "unsupported")
REFUSED, NOT_JUDGED = ("refused", "refused"), ("not-judged", "not-judged")


@pytest.mark.parametrize(
    ("old", "new", "part", "regressed"),
    [
        (PASS, FAIL, "new_failures", True),
        (WARN, FAIL, "new_failures", True),
        (KNOWN, FAIL, "new_failures", True),
        (UNSUPPORTED, FAIL, "new_failures", True),
        (FAIL, PASS, "fixed", False),
        (FAIL, WARN, "fixed", False),
        (KNOWN, PASS, "fixed", False),
        (PASS, WARN, "warned", True),
        (FAIL, KNOWN, "newly_excused", False),
        (PASS, KNOWN, "newly_excused", False),
        (PASS, UNSUPPORTED, "dropped", True),
        (PASS, NOT_JUDGED, "dropped", True),
        (FAIL, UNSUPPORTED, None, False),
        (FAIL, REFUSED, "fixed", False),
        (NOT_JUDGED, PASS, "changed_level", False),
        (REFUSED, WARN, "warned", True),
        (WARN, PASS, None, False),
        (PASS, ("stable", "pass"), "changed_level", False),
        (FAIL, ("crashed", "fail"), "changed_level", False),
        (FAIL, FAIL, None, False),
        (KNOWN, KNOWN, None, False),
    ],
)
def test_a_change_is_told_in_one_place_and_only_the_worse_regresses(
    old: tuple[str, str], new: tuple[str, str], part: str | None, regressed: bool
) -> None:
    comparison = changes_between(of(*old), of(*new))
    parts = ("new_failures", "fixed", "warned", "newly_excused", "dropped", "changed_level")
    assert [name for name in parts if getattr(comparison, name)] == ([part] if part else [])
    assert comparison.regressed is regressed


def test_an_item_that_never_reports_is_a_new_failure() -> None:
    whole = results([item("i", "a"), item("i", "b")])
    comparison = changes_between(whole, replace(whole, items=whole.items[:1]))
    assert ids(comparison.new_failures) == ["i::b"]
    assert comparison.regressed


def test_an_item_that_was_missing_and_is_wrong_is_a_new_failure_but_one_that_stays_missing_is_not() -> None:
    missing = results([], planned=["i::a"], cases=of(*PASS).header.cases, environments=of(*PASS).environments)
    assert ids(changes_between(missing, of(*FAIL)).new_failures) == ["i::a"]
    assert changes_between(missing, missing).new_failures == ()
    assert ids(changes_between(missing, of(*PASS)).fixed) == ["i::a"]


def test_a_new_case_that_fails_is_a_new_failure_and_one_that_passes_is_news_alone() -> None:
    old = results([item("i", "a")])
    passing = changes_between(old, results([item("i", "a"), item("i", "b")]))
    assert passing.appeared_cases == ("b",)
    assert not passing.regressed
    failing = changes_between(old, results([item("i", "a"), item("i", "b", "wrong", "fail")]))
    assert ids(failing.new_failures) == ["i::b"]
    assert failing.regressed


def test_a_case_that_is_gone_regresses_within_one_version_of_the_suite_only() -> None:
    old, new = results([item("i", "a"), item("i", "b")]), results([item("i", "a")])
    assert changes_between(old, new).vanished_cases == ("b",)
    assert changes_between(old, new).regressed
    newer = replace(new, header=replace(new.header, suite="0.2.0"))
    assert changes_between(old, newer).vanished_cases == ("b",)
    assert not changes_between(old, newer).regressed
    assert "different versions of the suite" in printed(changes_between(old, newer))


def test_an_implementation_that_cannot_run_any_more_regresses_and_says_why() -> None:
    old = results([item("i", "a"), item("j", "a")])
    gone = Environment(implementation="j", status="not-installed", message="pip install j")
    new = results([item("i", "a")], environments=[old.environments[0], gone])
    assert changes_between(old, new).not_installed == (("j", "pip install j"),)
    assert changes_between(old, new).regressed
    assert changes_between(new, old).appeared == ("j",)
    assert not changes_between(new, old).regressed


def test_an_implementation_that_is_not_even_named_any_more_regresses() -> None:
    comparison = changes_between(results([item("i", "a"), item("j", "a")]), results([item("i", "a")]))
    assert comparison.vanished == ("j",)
    assert comparison.regressed


def test_a_changed_convention_and_a_changed_version_are_told() -> None:
    old = results([item("i", "a")])
    changed = replace(
        old.environments[0],
        convention=TORCH | {"initial_running_variance": 0.0},
        nonstandard={"initial_running_variance": "starts at 0"},
        versions={"torch": "3"},
    )
    comparison = changes_between(old, replace(old, environments=(changed,)))
    (redeclared,) = comparison.conventions
    assert (redeclared.choice, redeclared.old, redeclared.new) == ("initial_running_variance", 1.0, 0.0)
    assert redeclared.nonstandard
    assert comparison.versions == (("i", "torch", "none", "3"),)
    assert not comparison.regressed
    assert not comparison.empty
    assert "i, initial_running_variance: 1.0 -> 0.0 (nonstandard)" in printed(comparison)


def test_a_known_fault_that_became_stale_regresses_once() -> None:
    old, new = results([item("i", "a")]), results([item("i", "a")], stale_faults=[STALE])
    assert changes_between(old, new).stale_faults == (STALE,)
    assert changes_between(old, new).regressed
    assert not changes_between(new, new).regressed


def test_a_new_run_that_was_cut_off_regresses() -> None:
    old = results([item("i", "a")])
    assert changes_between(old, replace(old, end=None)).regressed
    assert not changes_between(replace(old, end=None), old).regressed


def test_what_is_printed_names_the_change_the_reason_and_the_verdict() -> None:
    old = results([item("i", "a"), item("i", "b", "wrong", "fail")])
    new = results([item("i", "a", "errored", "fail", message="RuntimeError: no"), item("i", "b")])
    text = printed(changes_between(old, new), width=120)
    assert "Fail now and did not before (1)" in text
    assert "tight -> errored (fail), clause FWD-1, ratio 0.25 -> none: i (1 case)" in text
    assert "RuntimeError: no" in text
    assert "Fixed (1)" in text
    assert "y: wrong (fail) -> tight, clause FWD-1, ratio 1000 -> 0.25: i (1 case)" in text
    assert text.rstrip().endswith("✕ Something got worse: 1 new failure.")


def test_what_fails_alike_is_told_once() -> None:
    names = [f"c{number}" for number in range(100)]
    old, new = (results([item("i", name, *how) for name in names]) for how in (PASS, FAIL))
    text = printed(changes_between(old, new), width=120)
    assert "Fail now and did not before (100)" in text
    assert "y: tight -> wrong (fail), clause FWD-1, ratio 0.25 -> 1000: i (100 cases)" in text
    assert "in c0, c1, c2 and 97 more cases" in text


def test_a_long_list_is_cut_and_says_so() -> None:
    words = [f"word{letter}" for letter in "abcdefghijklmn"]
    errors = [item("i", word, "errored", "fail", message=f"{word} is missing") for word in words]
    text = printed(changes_between(results([item("i", word) for word in words]), results(errors)))
    assert "Fail now and did not before (14)" in text
    assert "and 2 more; --format html shows all" in text


def test_what_passed_at_several_levels_and_fails_alike_is_one_group() -> None:
    old = results([item("i", "a", "tight"), item("i", "b", "stable")])
    new = results([item("i", "a", *FAIL), item("i", "b", *FAIL)])
    (part,) = change_parts(changes_between(old, new))
    (group,) = part.groups
    assert group.outcomes == "tight or stable -> wrong (fail)"
    assert group.implementations == {"i": 2}


def test_a_margin_that_moved_is_told_and_is_no_change() -> None:
    old = results(
        [item("i", "a", quantities=(quantity(ratio=0.1),)), item("i", "b", quantities=(quantity(ratio=0.1),))]
    )
    new = results(
        [item("i", "a", quantities=(quantity(ratio=0.9),)), item("i", "b", quantities=(quantity(ratio=0.15),))]
    )
    comparison = changes_between(old, new)
    (part,) = change_parts(comparison)
    assert part.name == "margins"
    assert [group.sentence for group in part.groups] == ["y: tight, clause FWD-1, ratio 0.1 -> 0.9"]
    assert not comparison.regressed


def test_a_part_of_the_matrix_is_compared_with_a_whole_one() -> None:
    old = results([item("i", "a"), item("i", "b"), item("j", "a")])
    new = results([item("i", "a", *FAIL)])
    whole = changes_between(old, new)
    assert whole.vanished_cases == ("b",)
    assert "compare with --common" in printed(whole, width=200)
    part = common_changes(old, new)
    assert ids(part.new_failures) == ["i::a"]
    assert part.vanished == part.vanished_cases == ()
    assert "1 of 3 items of the old run and 1 of 1 items of the new run" in printed(part, width=200)


def test_a_sample_is_compared_with_all_cases() -> None:
    all_cases, sample = [item("i", name) for name in "ab"], [item("i", "a"), item("i", "b", "not-asked", "not-asked")]
    for old, new in ((all_cases, sample), (sample, all_cases)):
        part = common_changes(results(old), results(new))
        assert not part.regressed
        assert not part.dropped
        assert "Compared only what both runs have: 1 of 2 items" in printed(part, width=200)
    whole = changes_between(results(all_cases), results(sample))
    assert [change.case for change in whole.dropped] == ["b"]
    assert "compare with --common" in printed(whole, width=200)
    assert "compare with --common" not in printed(changes_between(results(sample), results(all_cases)), width=200)


def test_a_part_that_has_not_changed_did_not_get_worse() -> None:
    old = results([item("i", "a"), item("j", "b")])
    assert not common_changes(old, results([item("i", "a")])).regressed


def test_runs_with_nothing_in_common_are_an_error_and_not_green() -> None:
    with pytest.raises(UserError, match="no item in common"):
        common_changes(results([item("i", "a")]), results([item("j", "a")]))


def test_markdown_says_the_verdict_first_and_shows_hostile_text_as_text() -> None:
    new = results([item("[bold]i", "a", "errored", "fail", message=HOSTILE_TEXT)])
    text = changes_markdown(changes_between(results([item("[bold]i", "a")]), new))
    assert text.startswith("### ✕ Something got worse: 1 new failure.")
    assert "<script>" not in text
    assert "\x1b" not in text


def test_html_says_the_same_and_shows_hostile_text_as_text() -> None:
    new = results([item("i", "a", "errored", "fail", message=HOSTILE_TEXT)])
    text = changes_html(changes_between(results([item("i", "a")]), new))
    assert "Something got worse: 1 new failure." in text
    assert "<script>" not in text
    assert "Fail now and did not before (1)" in text


def test_json_holds_every_case_and_only_what_json_can_hold() -> None:
    names = [f"c{number}" for number in range(50)]
    new = [item("i", name, *FAIL, quantities=(quantity(outcome="wrong", ratio=math.inf),)) for name in names]
    data = changes_json(changes_between(results([item("i", name) for name in names]), results(new)))
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    (part,) = data["parts"]
    (group,) = part["groups"]
    assert group["cases"] == names
    assert group["new_ratio"] == "inf"
    assert data["regressed"]


def test_hostile_text_cannot_reach_the_terminal_as_markup_or_escapes() -> None:
    new = results([item("[bold]i", "a", "errored", "fail", message=HOSTILE_TEXT)])
    text = printed(changes_between(results([item("[bold]i", "a")]), new), width=400)
    assert "\x1b" not in text
    assert "\x00" not in text
    assert "[bold]i (1 case)" in text


def test_an_item_that_is_only_slower_has_not_changed() -> None:
    slow: Item = item("i", "a", seconds=3.0)
    assert changes_between(results([item("i", "a")]), results([slow])).empty
