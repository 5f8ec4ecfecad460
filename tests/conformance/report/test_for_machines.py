"""Reports that CI systems read: CTRF, badges and annotations."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from tests.support.sample_results import HOSTILE_TEXT, item, off_by_three_percent, results

from bn_conformance.report.annotations import MOST_ANNOTATIONS, workflow_commands
from bn_conformance.report.badge import badge_json, badge_svg
from bn_conformance.report.ctrf import STATUSES, ctrf
from bn_conformance.results.records import Item

PASS, FAIL = item("i", "a"), item("i", "b", "wrong", "fail", reproduce="bnconform run -i i --case b")
KNOWN = item("i", "c", "wrong", "known-fault", known_fault="i: c: a reason")
UNSUPPORTED = item("i", "d", "unsupported", "unsupported", message="float16 is not declared", quantities=())
NOT_JUDGED = item("i", "e", "not-judged", "not-judged", quantities=())
REFUSED = item("i", "f", "refused", "refused", quantities=())


def test_ctrf_counts_what_it_lists() -> None:
    report = ctrf(results([PASS, FAIL, KNOWN, UNSUPPORTED, NOT_JUDGED, REFUSED]))["results"]
    listed = {test["name"]: test["status"] for test in report["tests"]}
    no_pass = {"i::c": "other", "i::d": "skipped", "i::e": "other", "i::f": "other"}
    assert listed == {"i::a": "passed", "i::b": "failed"} | no_pass
    assert {name: report["summary"][name] for name in STATUSES} == {
        "passed": 1,
        "failed": 1,
        "pending": 0,
        "skipped": 1,
        "other": 3,
    }
    assert report["summary"]["tests"] == 6
    assert report["summary"]["start"] <= report["summary"]["stop"]


def test_ctrf_says_how_to_run_a_failure_again() -> None:
    (test,) = ctrf(results([FAIL]))["results"]["tests"]
    assert test["extra"] == {"reproduce": "bnconform run -i i --case b"}
    assert json.loads(json.dumps(test, allow_nan=False)) == test


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([PASS], "conforms"),
        ([PASS, FAIL], "1 failure"),
        ([PASS, KNOWN], "1 known fault"),
        ([UNSUPPORTED], "nothing judged"),
        ([NOT_JUDGED], "nothing judged"),
    ],
)
def test_a_badge_says_the_verdict(items: list[Item], message: str) -> None:
    badge = badge_json(results(items))
    assert (badge["schemaVersion"], badge["message"]) == (1, message)
    assert message in badge_svg(results(items))


def test_a_badge_of_a_run_that_was_cut_off_is_not_green() -> None:
    cut = replace(results([PASS]), end=None)
    assert badge_json(cut)["message"] == "the run did not end"
    assert badge_json(cut)["color"] == badge_json(results([FAIL]))["color"]


def test_an_svg_badge_is_xml() -> None:
    assert ElementTree.fromstring(badge_svg(results([PASS, FAIL]))).get("role") == "img"


def test_an_annotation_says_what_is_wrong_by_how_much_and_how_to_run_it_again() -> None:
    wrong = item("i", "b", "wrong", "fail", quantities=(off_by_three_percent(),), reproduce="bnconform run -i i")
    (line,) = workflow_commands(results([wrong]))
    assert line.startswith("::error title=i%3A running_var is wrong%2C clause STAT-3::1 case, the worst: b%0A")
    assert "expected 1.0, got 1.03" in line
    assert line.endswith("%0Arun it again: bnconform run -i i")


def test_there_are_at_most_ten_annotations() -> None:
    many = [item("i", name, "errored", "fail", message=f"{name} is missing") for name in "abcdefghijklmnop"]
    lines = list(workflow_commands(results(many)))
    assert len(lines) == MOST_ANNOTATIONS
    assert "and 7 problems more" in lines[-1]


def test_hostile_text_cannot_begin_another_workflow_command() -> None:
    hostile = item("i", "a", "errored", "fail", message=f"{HOSTILE_TEXT}\r\n::set-output name=x::y")
    (line,) = workflow_commands(results([hostile]))
    assert len(line.splitlines()) == 1
    assert "\x1b" not in line
    assert line.isprintable()
