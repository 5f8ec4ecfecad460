"""Cases as JSON: nothing is lost, the id follows from the content, and a bad file is refused in one line."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases, regressions
from bn_conformance.catalogue.document import case_to_json, from_json, named_by_content
from bn_conformance.catalogue.regressions import RegressionError, read_all, read_regression, write_regression
from bn_conformance.fuzz.strategies import cases
from bn_conformance.mutation.mutant import ALL_CAPABILITIES

CASE = all_cases()["edge/nc/float32/nan-in-training"]


def same(one: Case, other: Case) -> bool:
    """Whether two cases are the same; NaN compares by its name."""
    names = [part.name for part in fields(one) if part.name not in ("id", "axes", "judges")]
    return one.judges == other.judges and all(repr(getattr(one, name)) == repr(getattr(other, name)) for name in names)


@settings(max_examples=60, deadline=None, database=None)
@given(cases(ALL_CAPABILITIES))
def test_a_drawn_case_survives_the_way_there_and_back(case: Case) -> None:
    again = from_json(json.loads(json.dumps(case_to_json(case), allow_nan=False)))
    assert same(case, again)
    assert again.id == case.id


def test_a_case_says_whose_values_its_settings_are() -> None:
    case = all_cases()["mask/ncl-32x2x1/float64/far-pairs-masked"]
    assert case.any_value
    assert same(case, from_json(json.loads(json.dumps(case_to_json(case)))))


@pytest.mark.slow
def test_every_case_of_the_matrix_can_be_spelled_out() -> None:
    refused = {"ERR"}  # bad input is no regression: its shapes do not fit its layer
    for case in all_cases().values():
        other_shapes = case.id.endswith(("no-channels", "changing-ranks", "trajectory-ranks", "other-rank"))
        if case.family not in refused and not other_shapes and len(case.steps) <= 200:
            assert same(case, from_json(json.loads(json.dumps(case_to_json(case), allow_nan=False)))), case.id


def test_the_id_follows_from_the_content_and_not_from_the_title() -> None:
    case = named_by_content(CASE)
    assert case.id.startswith("regression/nc-8x5/float32/")
    assert named_by_content(replace(case, title="another")).id == case.id
    assert named_by_content(replace(case, repeat=True)).id != case.id


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "one.json"
    write_regression(path, CASE, {"implementation": "x"})
    assert same(read_regression(path), CASE)
    assert [regression.path for regression in read_all([str(tmp_path / "deep")])] == [str(path)]


def test_a_case_that_two_files_hold_is_one(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        write_regression(tmp_path / name, CASE, {})
    assert len(read_all([str(tmp_path), str(tmp_path / "a.json")])) == 1


def broken(change: Any) -> str:
    written = {"format": 1, "case": case_to_json(CASE)}
    change(written)
    return json.dumps(written)


def put(*path: Any) -> Any:
    """A change that puts the last of the arguments at the path before it."""

    def change(written: Any) -> None:
        *where, name, value = path
        for part in where:
            written = written[part]
        written[name] = value

    return change


STEP = ("case", "steps", 0)

HOSTILE = {
    "no JSON": ("{", "is not JSON"),
    "deep": ("[" * 100000, "is not JSON"),
    "a list": ("[]", "is no object"),
    "another format": (broken(put("format", 2)), "format"),
    "no case": ('{"format": 1}', "'case' is a required property"),
    "unknown field": (broken(put("case", "evil", 1)), "evil"),
    "no batch": (broken(put("case", "steps", [{"step": "freeze"}])), "no batch"),
    "unknown step": (broken(put(*STEP, "step", "jump")), "jump"),
    "unknown recipe": (broken(put(*STEP, "x", "kind", "__import__")), "allowed are normal"),
    "unknown view": (broken(put(*STEP, "view", "sideways")), "allowed are contiguous"),
    "unknown clause": (broken(put("case", "clauses", ["EDGE-99"])), "no clause 'EDGE-99'"),
    "unknown law": (broken(put("case", "laws", ["gravity"])), "no law 'gravity'"),
    "another family": (broken(put("case", "family", "SUM")), "family is 'SUM'"),
    "huge": (broken(put(*STEP, "shape", [1 << 24, 5])), "allowed are"),
    "enormous": (broken(put(*STEP, "shape", [1 << 40, 5])), "maximum"),
    "negative": (broken(put(*STEP, "shape", [-1, 5])), "minimum"),
    "another width": (broken(put(*STEP, "shape", [8, 4])), "5 channels on axis 1"),
    "another rank": (broken(put(*STEP, "shape", [8, 5, 1])), "rank 2"),
    "a format that is none": (broken(put("case", "config", "dtype", "int8")), "int8"),
    "an eps that is none": (broken(put("case", "config", "eps", -1.0)), "eps is -1"),
    "an infinite integer": (broken(put(*STEP, "x", "seed", 1e400)).replace("Infinity", "1e400"), "is not of type"),
}


@pytest.mark.parametrize(("text", "says"), HOSTILE.values(), ids=HOSTILE)
def test_a_bad_file_is_refused_in_one_line(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RegressionError) as refused:
        read_regression(path)
    message = str(refused.value)
    assert str(path) in message
    assert says in message
    assert "\n" not in message
    assert len(message) < 900


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.json").write_bytes(b"\xff\xfe")
    (tmp_path / "empty").mkdir()
    for name, says in (
        ("latin.json", "is not UTF-8 text"),
        ("none.json", "cannot be read"),
        ("empty", "holds no regression"),
    ):
        with pytest.raises(RegressionError, match=says):
            read_all([str(tmp_path / name)])


def test_a_large_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_regression(tmp_path / "one.json", CASE, {})
    monkeypatch.setattr(regressions, "LARGEST_FILE", 100)
    with pytest.raises(RegressionError, match="larger than 100 bytes"):
        read_regression(tmp_path / "one.json")
