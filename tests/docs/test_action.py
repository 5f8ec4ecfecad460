"""The GitHub action: its steps run as they stand, on a small run and on a fixture of two results files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from tests.support.command_line import GOOD, WRONG, write
from tests.support.sample_results import item, results

from bn_conformance.results.file import Results
from bn_conformance.results.writer import write_results

ROOT = Path(__file__).parents[2]
ACTION = ROOT / ".github" / "actions" / "bnconform"
FAKE_GH = """#!/usr/bin/env bash
printf '%s\\n' "$*" >> "$CALLS"
case "$*" in *--paginate*) cat "$COMMENTS" ;; esac
"""


def step(folder: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the action in a folder; what it gives to the workflow lies there in `output` and `summary`."""
    path = f"{folder / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    github = {"GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary")}
    return subprocess.run(
        ["bash", str(ACTION / script)],
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "FOLDER": "out"} | github | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def outputs(folder: Path) -> dict[str, str]:
    lines = (folder / "output").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


def kept(folder: Path, contents: Results, name: str) -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    assert contents.end is not None
    write_results(path, [contents.header, *contents.environments, *contents.items, contents.end])
    return str(path)


@pytest.fixture
def two_results(tmp_path: Path) -> str:
    """The results of a run in which one case got worse, and the baseline, whose path is given."""
    kept(tmp_path, results([item("i", "a", "wrong", "fail"), item("i", "b")]), "out/results.jsonl")
    return kept(tmp_path, results([item("i", "a"), item("i", "b")]), "accepted.jsonl")


@pytest.mark.slow
@pytest.mark.parametrize(("source", "status"), [(GOOD, "0"), (WRONG, "1")], ids=["right", "wrong"])
def test_judging_passes_on_what_the_run_said(tmp_path: Path, source: str, status: str) -> None:
    target = write(tmp_path, "mine.py", source)
    done = step(tmp_path, "judge.sh", IMPLEMENTATION=target, CASE="fwd/nc/float32/eps-default", ARGUMENTS="-n 0")
    assert done.returncode == 0, done.stderr
    assert outputs(tmp_path) == {"exit-code": status, "results": "out/results.jsonl"}


FAKE_BNCONFORM = """#!/usr/bin/env bash
printf '%s\\n' "$@" >> "$CALLS"
"""


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Where a stand-in for bnconform writes its arguments, one a line."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "bnconform"
    command.write_text(FAKE_BNCONFORM)
    command.chmod(0o755)
    return tmp_path / "calls"


def test_patterns_reach_the_run_as_they_are_written(tmp_path: Path, calls: Path) -> None:
    write(tmp_path, "mylib.py", "")  # what the shell would make of mylib.*
    step(tmp_path, "judge.sh", IMPLEMENTATION="mylib.* other", CASE="stat/* num/nc/*", CALLS=str(calls))
    told = calls.read_text(encoding="utf-8").split()
    assert told[:-2] == ["run", "-i", "mylib.*", "-i", "other", "--case", "stat/*", "--case", "num/nc/*"]


@pytest.mark.parametrize(("common", "given"), [("true", 2), ("false", 0)])
def test_a_part_is_compared_with_what_the_baseline_has_of_it(
    tmp_path: Path, calls: Path, two_results: str, common: str, given: int
) -> None:
    write(tmp_path / "out", "changes.md", "")
    step(tmp_path, "tell.sh", BASELINE=two_results, COMMON=common, CALLS=str(calls))
    assert calls.read_text(encoding="utf-8").split().count("--common") == given


@pytest.mark.slow
def test_judging_what_does_not_exist_leaves_no_results(tmp_path: Path) -> None:
    step(tmp_path, "judge.sh", IMPLEMENTATION="no.such", ARGUMENTS="-n 0")
    assert outputs(tmp_path) == {"exit-code": "2"}


@pytest.mark.slow
def test_telling_writes_every_report_and_says_what_changed(tmp_path: Path, two_results: str) -> None:
    done = step(tmp_path, "tell.sh", BASELINE=two_results)
    assert done.returncode == 0, done.stderr
    assert outputs(tmp_path) == {"exit-code": "1", "changes": "out/changes.md"}
    names = {path.name for path in (tmp_path / "out").iterdir()}
    reports = {"report.html", "ctrf.json", "badge.json", "badge.svg", "changes.md", "changes.html"}
    assert names == {"results.jsonl"} | reports
    assert done.stdout.count("::error ") == 1
    summary = (tmp_path / "summary").read_text(encoding="utf-8")
    assert summary.startswith("### ✕ Something got worse: 1 new failure.")
    assert "The whole matrix" in summary


@pytest.mark.slow
def test_the_files_of_telling_are_what_they_say(tmp_path: Path, two_results: str) -> None:
    step(tmp_path, "tell.sh", BASELINE=two_results)
    badge = json.loads((tmp_path / "out" / "badge.json").read_text(encoding="utf-8"))
    assert (badge["schemaVersion"], badge["message"]) == (1, "1 failure")
    assert ElementTree.parse(tmp_path / "out" / "badge.svg").getroot().tag.endswith("svg")
    report = json.loads((tmp_path / "out" / "ctrf.json").read_text(encoding="utf-8"))
    assert report["results"]["summary"]["failed"] == 1


@pytest.mark.slow
def test_without_a_baseline_the_report_is_told(tmp_path: Path, two_results: str) -> None:
    done = step(tmp_path, "tell.sh")
    assert done.returncode == 0, done.stderr
    assert outputs(tmp_path) == {"changes": "out/changes.md"}
    assert "does not conform" in (tmp_path / "summary").read_text(encoding="utf-8")


@pytest.mark.parametrize(("own", "call"), [("", "--method POST"), ("77\n", "--method PATCH")], ids=["first", "later"])
def test_one_comment_is_written_and_then_updated(tmp_path: Path, own: str, call: str) -> None:
    (tmp_path / "bin").mkdir()
    gh = tmp_path / "bin" / "gh"
    gh.write_text(FAKE_GH)
    gh.chmod(0o755)
    write(tmp_path, "comments", own)
    write(tmp_path, "body.md", "what changed\n" + "x" * 100_000)
    calls = tmp_path / "calls"
    names = {"REPOSITORY": "o/r", "NUMBER": "5", "BODY": "body.md"}
    done = step(tmp_path, "comment.sh", CALLS=str(calls), COMMENTS=str(tmp_path / "comments"), **names)
    assert done.returncode == 0, done.stderr
    written = calls.read_text(encoding="utf-8").split("--method", 1)[1]
    assert f"--method{written}".startswith(call)
    assert ("comments/77" in written) is bool(own)
    assert "<!-- bnconform -->" in written
    assert "what changed" in written
    assert len(written) < 65_536


@pytest.mark.parametrize(
    ("judged", "compared", "baseline", "status"),
    [
        ("0", "", "", 0),
        ("1", "", "", 1),
        ("1", "0", "accepted.jsonl", 0),
        ("0", "1", "accepted.jsonl", 1),
        ("3", "0", "accepted.jsonl", 3),
        ("2", "", "", 2),
        ("1", "", "accepted.jsonl", 3),
        ("", "", "", 3),
    ],
)
def test_the_job_fails_where_something_got_worse(
    tmp_path: Path, judged: str, compared: str, baseline: str, status: int
) -> None:
    assert step(tmp_path, "verdict.sh", JUDGED=judged, COMPARED=compared, BASELINE=baseline).returncode == status


def action() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((ACTION / "action.yml").read_text(encoding="utf-8"))
    return parsed


def uses() -> list[dict[str, Any]]:
    """What every workflow of the documents and of this repository gives to the action."""
    documents = [ROOT / "docs" / "ci.md", ACTION / "README.md"]
    texts = [
        block
        for document in documents
        for block in re.findall(r"^```yaml\n(.*?)^```$", document.read_text(encoding="utf-8"), re.M | re.S)
    ]
    texts += [path.read_text(encoding="utf-8") for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))]
    found = []
    for text in texts:
        parsed = yaml.safe_load(text)
        jobs = parsed["jobs"].values() if isinstance(parsed, dict) else [{"steps": parsed}]
        steps = [step for job in jobs for step in job["steps"]]
        found += [step["with"] for step in steps if "actions/bnconform" in step.get("uses", "")]
    return found


def test_workflows_use_inputs_that_the_action_has() -> None:
    assert len(uses()) >= 5
    assert [name for given in uses() for name in given if name not in action()["inputs"]] == []


def test_every_script_of_the_action_exists() -> None:
    runs = [step["run"] for step in action()["runs"]["steps"] if "run" in step]
    scripts = [name for run in runs for name in re.findall(r"\w+\.sh", run)]
    assert [name for name in scripts if not (ACTION / name).is_file()] == []
    assert sorted(scripts) == sorted(path.name for path in ACTION.glob("*.sh"))
