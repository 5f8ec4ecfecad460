"""What is published of an implementation: TOML that changes only where a judgement does."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.support.sample_matrix import realistic
from tests.support.sample_results import HOSTILE_TEXT, item, results

from bn_conformance.cli import main
from bn_conformance.commands.publish import published_name
from bn_conformance.report.published import published
from bn_conformance.results.file import Results
from bn_conformance.results.writer import write_results


def parsed(run: Results) -> dict[str, dict[str, Any]]:
    return {name: tomllib.loads(text) for name, text in published(run).items()}


def test_it_says_the_verdict_the_counts_and_what_is_worse_than_tight() -> None:
    run = results([item("i", "a"), item("i", "b", "wrong", "fail"), item("i", "c", "stable")])
    told = parsed(run)["i"]
    assert told["implementation"] == "i"
    assert told["verdicts"] == {"pass": 2, "fail": 1}
    assert [(group["outcome"], group["quantity"], group["ids"]) for group in told["cases"]] == [
        ("stable", "y", ["c"]),
        ("wrong", "y", ["b"]),
    ]


def test_times_and_numbers_leave_no_trace() -> None:
    run = realistic(count=60)
    slower = replace(run, items=tuple(replace(one, seconds=one.seconds + 1.0) for one in run.items))
    assert published(run) == published(slower)


def test_the_order_of_a_run_leaves_no_trace() -> None:
    run = realistic(count=60)
    assert published(replace(run, items=run.items[::-1])) == published(run)


def test_a_change_of_a_level_is_a_difference() -> None:
    before, after = (results([item("i", "a", outcome)]) for outcome in ("tight", "stable"))
    assert published(before) != published(after)


def test_a_matrix_is_valid_toml_of_a_few_hundred_lines() -> None:
    texts = published(realistic())
    assert texts
    for text in texts.values():
        tomllib.loads(text)
        assert len(text.splitlines()) < 2000


def test_hostile_text_is_a_toml_string() -> None:
    run = results([item("i", "a", "errored", "known-fault", known_fault=HOSTILE_TEXT)])
    (group,) = parsed(run)["i"]["cases"]
    assert group["known_fault"] == HOSTILE_TEXT.replace("\ud800", "\\ud800")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("torch.nn", "torch.nn"), ("keras[torch]", "keras-torch"), ("../../etc/x", "etc-x"), ("[]", "implementation")],
)
def test_a_file_stays_in_its_folder(name: str, expected: str) -> None:
    assert published_name(name) == expected


def test_the_command_writes_a_file_for_each_implementation(tmp_path: Path) -> None:
    run = results([item("i", "a"), item("j[k]", "a")])
    assert run.end is not None
    write_results(tmp_path / "run.jsonl", [run.header, *run.environments, *run.items, run.end])
    done = CliRunner().invoke(main, ["publish", str(tmp_path / "run.jsonl"), str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["i.toml", "j-k.toml"]
