"""Sets of cases: what was published stays as it was, and what came later fails nobody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.command_line import ROOT, WRONG, called, write

from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.catalogue.sets import UnknownSet, id_digest, newer_than, published_sets, read_set, set_of
from bn_conformance.results.file import read_results

KNOWN = all_cases() | large_cases()
CASE = KNOWN["fwd/nc/float32/random"]


@pytest.mark.parametrize("name", published_sets())
def test_no_case_of_a_published_set_changes_or_goes(name: str) -> None:
    """Give a changed case another id; what the set holds is judged as it was."""
    held = read_set(name)
    there = {id_digest(case_id): case for case_id, case in KNOWN.items()}
    changed = newer_than(name, [there[digest] for digest in held if digest in there])
    assert changed == set()
    assert set(held) - set(there) == set()


def test_a_case_that_is_new_or_has_changed_is_newer() -> None:
    name = published_sets()[0]
    changed = replace(CASE, config=replace(CASE.config, eps=0.125))
    assert newer_than(name, [CASE]) == set()
    assert newer_than(name, [changed, replace(CASE, id="fwd/nc/float32/later")]) == {CASE.id, "fwd/nc/float32/later"}


def test_a_title_may_change() -> None:
    assert set_of([CASE]) == set_of([replace(CASE, title="another")])


def test_a_set_that_is_not_there_is_an_error_that_names_those_that_are() -> None:
    with pytest.raises(UnknownSet, match=f"did you mean {published_sets()[0]}"):
        read_set(published_sets()[0] + "0")


@pytest.mark.parametrize(("newer", "code", "verdict"), [(False, 1, "fail"), (True, 0, "warn")])
def test_what_came_later_fails_nobody_and_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, newer: bool, code: int, verdict: str
) -> None:
    name = published_sets()[0]
    if newer:
        monkeypatch.setattr("bn_conformance.catalogue.sets.read_set", lambda name: {})
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    options = ("-n", "0", "--in-process", "--case", CASE.id, "--set", name, "--results", "out.jsonl")
    done = called(tmp_path, "run", "-i", write(tmp_path, "wrong.py", WRONG), *options)
    results = read_results(tmp_path / "out.jsonl")
    assert (done.returncode, results.items[0].verdict) == (code, verdict)
    assert results.header.cases[0].newer is newer
    assert (f"newer than the set {name}" in done.stdout) is newer
