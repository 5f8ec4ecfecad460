"""The published JSON Schema of the results file, and whether a file keeps to it.

A reader of results files (`bn_conformance.results.file.read_results`) does without what it does not need. The schema
allows no such gap.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from bn_conformance.reading import UnusableText, json_of
from bn_conformance.results.file import lines
from bn_conformance.results.json_line import ResultsError


@cache
def load_schema() -> dict[str, Any]:
    """The schema of one record, that is, of one line of a results file."""
    text = files("bn_conformance").joinpath("results", "schemas", "results.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@cache
def _validator(kind: str) -> Any:
    """The validator of one kind of record: its errors say more than "is valid under none of five"."""
    from jsonschema import Draft202012Validator

    definitions = load_schema()["$defs"]
    return Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": definitions})


def kinds() -> tuple[str, ...]:
    """The kinds of records, each the value of `type` and a definition of the schema."""
    return tuple(entry["$ref"].removeprefix("#/$defs/") for entry in load_schema()["oneOf"])


def record_violation(record: Any) -> str | None:
    """The first way in which a parsed record breaks the schema, with the path to it; None where it keeps to it."""
    kind = record.get("type") if isinstance(record, dict) else None
    if not isinstance(kind, str) or kind not in kinds():
        return f"it is no record: type is {kind!r}; allowed are {', '.join(kinds())}"
    for error in _validator(kind).iter_errors(record):
        return f"{error.json_path}: {_short(error.message)}"
    return None


def validate_file(path: str | Path) -> None:
    """Check each line of a results file against the schema, and that the header comes first and the end last.

    Raises:
        ResultsError: the file breaks the schema; the message names the line and the path within it.
    """
    number, previous = 0, None
    for number, line in lines(Path(path)):
        try:
            record = json_of(line)
        except UnusableText as error:
            raise ResultsError(f"{path}, line {number}: {error}") from None
        violation = record_violation(record)
        if violation is None and ((number == 1) != (record["type"] == "header") or previous == "end"):
            violation = f"a record of type {record['type']} has no place here; the header is first and the end last"
        if violation is not None:
            raise ResultsError(f"{path}, line {number}: {violation}")
        previous = record["type"]
    if previous != "end":
        raise ResultsError(f"{path}, line {number + 1}: the file ends without an end record; it was cut off")


def _short(message: str, limit: int = 300) -> str:
    return message if len(message) <= limit else f"{message[:limit]}..."
