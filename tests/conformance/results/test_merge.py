"""Merging results files: nothing is hidden, nothing invented, contradictions are named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.sample_declarations import TORCH
from tests.support.sample_matrix import realistic
from tests.support.sample_results import case, item, records, results

from bn_conformance.results.file import Results, read_results
from bn_conformance.results.json_line import ResultsError
from bn_conformance.results.merge import merge
from bn_conformance.results.records import End, Environment, Item, StaleFault
from bn_conformance.results.writer import write_results
from bn_conformance.user_error import UserError


def merged(*parts: Results) -> Results:
    """What a reader of the merged file sees."""
    names = [f"{place}.jsonl" for place in range(len(parts))]
    named = [replace(part, path=name) for part, name in zip(parts, names, strict=True)]
    merged_records = merge(named)
    assert isinstance(merged_records[-1], End)
    return Results.of("merged.jsonl", merged_records)


def contradiction(*parts: Results) -> str:
    with pytest.raises(ResultsError) as caught:
        merged(*parts)
    message = str(caught.value)
    assert "\n" not in message
    assert "0.jsonl" in message
    assert "1.jsonl" in message
    return message


def environment(status: str = "ok", name: str = "i", **fields: Any) -> Environment:
    return Environment(implementation=name, status=status, convention=TORCH if status == "ok" else {}, **fields)


def test_jobs_of_other_implementations_come_together() -> None:
    combined = merged(results([item("i", "a")]), results([item("j", "a"), item("j", "b")]))
    assert combined.header.implementations == ("i", "j")
    assert [record.id for record in combined.header.cases] == ["a", "b"]
    assert combined.header.planned == ("i::a", "j::a", "j::b")
    assert [record.id for record in combined.items] == ["i::a", "j::a", "j::b"]
    assert combined.missing() == ()
    assert combined.end is not None
    assert combined.end.exit_code == 0
    assert combined.end.seconds == 25.0


def test_a_merged_file_is_a_results_file(tmp_path: Path) -> None:
    parts = realistic(count=40), results([item("torch.nn", "extra")])
    environments = tuple(record for record in parts[0].environments if record.implementation == "torch.nn")
    path = tmp_path / "merged.jsonl"
    write_results(path, merge([parts[0], replace(parts[1], environments=environments)]))
    assert len(read_results(path).items) == len(parts[0].items) + 1


def test_one_file_merges_to_itself() -> None:
    whole = results([item("i", "a"), item("i", "b", "wrong", "fail")])
    combined = merged(whole)
    assert combined.items == whole.items
    assert combined.header == whole.header
    assert combined.environments == whole.environments


def test_of_an_item_that_ran_again_the_later_counts() -> None:
    first = results([item("i", "a", "crashed", "fail"), item("i", "b")])
    again = results([item("i", "a")], cases=first.header.cases)
    combined = merged(first, again)
    assert {record.id: record.outcome for record in combined.items} == {"i::a": "tight", "i::b": "tight"}
    assert combined.end is not None
    assert combined.end.exit_code == 0
    assert merged(again, first).end == replace(combined.end, exit_code=1)


def test_what_was_missing_in_a_later_file_does_not_undo_what_reported() -> None:
    first = results([item("i", "a")])
    combined = merged(first, replace(first, items=()))
    assert [record.id for record in combined.items] == ["i::a"]
    assert combined.missing() == ()


def test_what_is_missing_everywhere_stays_missing_and_fails() -> None:
    first = results([item("i", "a")], planned=["i::a", "i::b"], cases=[case("a", "FWD-1"), case("b", "FWD-1")])
    combined = merged(first, first)
    assert combined.missing() == ("i::b",)
    assert combined.end is not None
    assert combined.end.exit_code == 1


@pytest.mark.parametrize("order", [1, -1])
def test_a_job_without_the_implementation_does_not_hide_the_job_with_it(order: int) -> None:
    judged = results([item("i", "a")], environments=[environment()])
    absent = results(
        [], environments=[environment("not-installed", message="pip install i")], cases=judged.header.cases
    )
    combined = merged(*(judged, absent)[::order])
    assert [record.status for record in combined.environments] == ["ok"]
    assert len(combined.items) == 1


def test_an_implementation_that_no_job_had_is_shown_with_its_reason() -> None:
    absent = results([], environments=[environment("not-installed", message="pip install i")])
    combined = merged(absent, absent)
    assert [record.message for record in combined.environments] == ["pip install i"]
    assert combined.end is not None
    assert combined.end.exit_code == 3


def test_another_version_of_the_suite_is_a_contradiction() -> None:
    words = contradiction(results([item("i", "a")]), results([item("j", "a")], suite="0.2.0"))
    assert "the suite's version is 0.1.0" in words
    assert "0.2.0" in words


@pytest.mark.parametrize("option", ["level", "profile", "seed"])
def test_another_option_that_decides_verdicts_is_a_contradiction(option: str) -> None:
    options = {"level": "degraded", "profile": "default", "seed": 0}
    other = results([item("j", "a")], options=options | {option: "other"})
    assert f"option {option}" in contradiction(results([item("i", "a")]), other)


def test_other_options_are_told_side_by_side() -> None:
    options = {"level": "degraded", "profile": "default", "seed": 0}
    parts = (results([item(name, "a")], options=options | {"n": name}) for name in ("i", "j"))
    assert merged(*parts).header.options["n"] == "i | j"


def test_the_same_case_with_another_content_is_a_contradiction() -> None:
    first = results([item("i", "a")], cases=[case("a", "FWD-1", n=4)])
    other = results([item("j", "a")], cases=[case("a", "FWD-1", n=5)])
    assert "case a" in contradiction(first, other)


@pytest.mark.parametrize(
    "what", [{"versions": {"torch": "3"}}, {"device": "cuda"}, {"convention": {"default_eps": 0.1}}]
)
def test_items_of_two_environments_of_one_implementation_are_a_contradiction(what: dict[str, Any]) -> None:
    first = results([item("i", "a")])
    second = results([item("i", "b")], environments=[replace(first.environments[0], **what)])
    assert f"{next(iter(what))} of i" in contradiction(first, second)


def test_a_whole_run_with_a_newer_version_replaces_the_old_one() -> None:
    first = results([item("i", "a")])
    newer = replace(first, environments=(replace(first.environments[0], versions={"torch": "3"}),))
    assert merged(first, newer).environments == newer.environments


def test_a_stale_entry_that_another_job_needs_is_not_stale() -> None:
    stale = StaleFault(entry="i *", file="known.toml", line=1, message="delete it", reason="NaN for empty batches")
    first = results([item("i", "a")], stale_faults=[stale])
    needed = results([item("i", "b", "wrong", "known-fault", known_fault="NaN for empty batches")])
    assert merged(first, needed).stale_faults == ()
    combined = merged(first, first)
    assert combined.stale_faults == (stale,)
    assert combined.end is not None
    assert combined.end.exit_code == 1


def test_a_file_that_was_cut_off_is_named_as_such() -> None:
    end = merged(results([item("i", "a")], cut_off=True), results([item("j", "a")])).end
    assert end is not None
    assert end.message == "Merged from 0.jsonl (cut off), 1.jsonl."


def test_the_earliest_start_and_all_machines_are_kept() -> None:
    first, second = (results([item(name, "a")], machine={"system": name}) for name in ("i", "j"))
    early = replace(second, header=replace(second.header, created="2025-01-01T00:00:00+00:00"))
    combined = merged(first, early)
    assert combined.header.created == "2025-01-01T00:00:00+00:00"
    assert combined.header.machine == {"system": "i | j"}


def test_nothing_to_merge_is_an_error() -> None:
    with pytest.raises(ResultsError, match="nothing to merge"):
        merge([])


def test_all_records_of_a_matrix_survive_a_merge_of_its_halves() -> None:
    whole = realistic(count=60)
    halves = [replace(whole, items=whole.items[place::2], stale_faults=()) for place in range(2)]
    assert len(merged(*halves).diagnoses) == len(whole.diagnoses) == 1
    assert {repr(record) for record in merged(*halves).items} == {repr(record) for record in whole.items}
    assert len(records(merged(*halves))) == len(records(whole)) - len(whole.stale_faults) + 1


def test_an_implementation_that_ran_but_had_no_case_is_still_judged() -> None:
    ran = results([], environments=[environment(device="cuda")])
    absent = results([], environments=[environment("not-installed", message="pip install i")])
    assert [record.device for record in merged(ran, absent).environments] == ["cuda"]


def shard(number: str, *items: Item) -> Results:
    """A shard of a run of two cases on two implementations."""
    whole = results([item(name, case) for name in "ij" for case in "ab"])
    options = {"level": "degraded", "profile": "default", "seed": 0, "shard": number}
    return results(items, environments=whole.environments, cases=whole.header.cases, options=options)


I_A, I_B, J_A, J_B = item("i", "a"), item("i", "b"), item("j", "a"), item("j", "b", "wrong", "fail")


def test_the_shards_of_a_run_are_the_run() -> None:
    combined = merged(shard("2/2", J_A, J_B), shard("1/2", I_A, I_B))
    verdicts = {record.id: record.verdict for record in combined.items}
    assert verdicts == {"i::a": "pass", "i::b": "pass", "j::a": "pass", "j::b": "fail"}
    assert combined.header.options["shard"] == ""
    assert combined.end is not None
    assert combined.end.exit_code == 1


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((shard("1/2", I_A, I_B), shard("1/2", J_A, J_B)), "are both shard 1/2"),
        ((shard("1/3", I_A, I_B), shard("2/3", J_A, J_B)), "shard 3 of 3 is missing"),
        ((shard("1/2", I_A, I_B), shard("2/3", J_A, J_B)), "is one of 2 shards"),
        ((shard("1/2", I_A, I_B), shard("2/2", I_A, J_A, J_B)), "i::a is planned in 0.jsonl and in 1.jsonl"),
        ((shard("1/2", I_A, I_B), shard("2/2", J_A)), "j::b is in no shard"),
        ((shard("1/2", I_A, I_B), results([item("j", "a")])), "1.jsonl is no shard"),
        (
            (shard("1/2", I_A, I_B), replace(shard("2/2", J_A, J_B), environments=())),
            "the plan is one thing in 0.jsonl",
        ),
    ],
)
def test_shards_that_are_no_whole_run_are_refused(parts: tuple[Results, ...], words: str) -> None:
    named = [replace(part, path=f"{place}.jsonl") for place, part in enumerate(parts)]
    with pytest.raises(UserError) as caught:
        merge(named)
    assert words in str(caught.value)


def test_what_is_broken_in_a_job_fails_the_merge() -> None:
    broken = results([], environments=[environment("broken", "k", message="no")])
    end = merged(results([item("i", "a")]), broken).end
    assert end is not None
    assert end.exit_code == 1


def test_what_was_not_asked_never_hides_what_was_judged() -> None:
    judged, not_asked = results([item("i", "a")]), results([item("i", "a", "not-asked", "not-asked")])
    for parts in ((judged, not_asked), (not_asked, judged)):
        assert [one.outcome for one in merged(*parts).items] == ["tight"]
