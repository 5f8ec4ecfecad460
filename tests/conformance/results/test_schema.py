"""The published schema: it takes every record that is written, and nothing else."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.support.sample_matrix import realistic
from tests.support.sample_results import item, records, results

from bn_conformance.results import records as record_types
from bn_conformance.results import schema
from bn_conformance.results.json_line import ResultsError, to_line
from bn_conformance.results.records import End, Record
from bn_conformance.results.writer import write_results


@cache
def whole() -> tuple[Record, ...]:
    """Records of a small matrix, of every kind."""
    end = End(exit_code=1, seconds=3.5, message="something does not conform")
    return (*records(realistic(count=20)), end)


def test_the_schema_is_a_schema() -> None:
    from jsonschema import Draft202012Validator

    Draft202012Validator.check_schema(schema.load_schema())


def test_every_line_of_a_matrix_keeps_to_the_schema() -> None:
    kinds = set()
    for record in whole():
        line = json.loads(to_line(record))
        kinds.add(line["type"])
        assert schema.record_violation(line) is None, line
    assert kinds == set(schema.kinds())


def test_the_schema_as_a_whole_takes_a_record_of_each_kind() -> None:
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(schema.load_schema())
    for record in whole()[:-1:7]:
        assert validator.is_valid(json.loads(to_line(record)))
    assert not validator.is_valid({"type": "end"})


@pytest.mark.parametrize(
    ("kind", "cls"),
    [
        ("header", record_types.Header),
        ("case", record_types.CaseInfo),
        ("clause", record_types.ClauseInfo),
        ("environment", record_types.Environment),
        ("item", record_types.Item),
        ("quantity", record_types.Quantity),
        ("stale-fault", record_types.StaleFault),
        ("diagnosis", record_types.Diagnosis),
        ("end", record_types.End),
    ],
)
def test_the_schema_has_just_the_fields_of_the_records(kind: str, cls: type[Any]) -> None:
    properties = set(schema.load_schema()["$defs"][kind]["properties"])
    assert properties - {"type", "format"} == {field.name for field in fields(cls)}
    assert schema.load_schema()["$defs"][kind]["additionalProperties"] is False


def line_of(kind: str) -> dict[str, Any]:
    records_of_kind = (json.loads(to_line(record)) for record in whole())
    return next(line for line in records_of_kind if line["type"] == kind and line.get("quantities") != [])


@pytest.mark.parametrize("kind", ["header", "environment", "item", "stale-fault", "diagnosis", "end"])
def test_a_field_that_is_not_in_the_schema_is_a_violation(kind: str) -> None:
    line = line_of(kind)
    assert schema.record_violation(line) is None
    assert "extra" in str(schema.record_violation(line | {"extra": 1}))


@pytest.mark.parametrize(
    ("kind", "change", "where"),
    [
        ("header", {"format": 2}, "$.format"),
        ("header", {"implementations": ["a", "a"]}, "$.implementations"),
        ("header", {"planned": ["no separator"]}, "$.planned[0]"),
        ("environment", {"status": "fine"}, "$.status"),
        ("item", {"outcome": "degraded()"}, "$.outcome"),
        ("item", {"outcome": "degraded(Raw Moments)"}, "$.outcome"),
        ("item", {"verdict": "known-fault", "known_fault": None}, "$.known_fault"),
        ("item", {"seconds": -1}, "$.seconds"),
        (
            "item",
            {"quantities": [{"name": "y", "outcome": "tight", "clauses": [], "ratio": "big"}]},
            "$.quantities[0].ratio",
        ),
        (
            "item",
            {"quantities": [{"name": "y", "outcome": "tight", "clauses": [], "ratio": -1.0}]},
            "$.quantities[0].ratio",
        ),
        ("end", {"exit_code": 7}, "$.exit_code"),
    ],
)
def test_a_violation_says_where_it_is(kind: str, change: dict[str, Any], where: str) -> None:
    assert str(schema.record_violation(line_of(kind) | change)).startswith(f"{where}:")


def test_a_known_fault_needs_its_reason() -> None:
    line = json.loads(to_line(item("i", "a", "wrong", "known-fault", known_fault="upstream")))
    assert schema.record_violation(line) is None
    del line["known_fault"]
    assert "known_fault" in str(schema.record_violation(line))


@pytest.mark.parametrize("line", [[], 3, None, {}, {"type": "other"}, {"type": ["end"]}])
def test_what_is_no_record_at_all_is_a_violation(line: Any) -> None:
    assert "it is no record" in str(schema.record_violation(line))


def test_a_whole_file_is_valid(tmp_path: Path) -> None:
    write_results(tmp_path / "results.jsonl", whole())
    schema.validate_file(tmp_path / "results.jsonl")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[:-1], "the file ends without an end record"),
        (lambda lines: [*lines[:-1], lines[-1][:-5]], "the file ends without an end record"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "line 1: a record of type environment has no place here"),
        (lambda lines: [*lines, lines[-2]], "line 5: a record of type item has no place here"),
        (lambda lines: [lines[0], lines[0], *lines[1:]], "line 2: a record of type header has no place here"),
        (lambda lines: [*lines[:2], "no json\n", *lines[2:]], "line 3: is not JSON"),
        (lambda lines: [], "line 1: the file ends without an end record"),
    ],
)
def test_a_file_that_is_not_whole_is_invalid(tmp_path: Path, change: Any, words: str) -> None:
    path = tmp_path / "results.jsonl"
    lines = [to_line(record) + "\n" for record in records(results([item("i", "a")]))]
    path.write_text("".join(change(lines)), encoding="utf-8")
    with pytest.raises(ResultsError) as caught:
        schema.validate_file(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
