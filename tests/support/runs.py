"""Two results files that should tell of the same run, whoever judged their items and in however many parts."""

from __future__ import annotations

from typing import Any

from bn_conformance.results.file import Results
from bn_conformance.results.schema import validate_file


def judgements(results: Results) -> dict[str, tuple[Any, ...]]:
    """What was found of each item, without the times and without who found it."""
    return {
        item.id: (item.outcome, item.verdict, item.message, item.quantities, item.known_fault) for item in results.items
    }


def assert_same_run(results: Results, whole: Results) -> None:
    """Two runs planned and found the same, and ended alike; each file keeps to the schema and holds an item once."""
    for one in (results, whole):
        validate_file(one.path)
        assert len({item.id for item in one.items}) == len(one.items)
    assert results.header.planned == whole.header.planned
    assert judgements(results) == judgements(whole)
    assert {one.implementation for one in results.environments} == {one.implementation for one in whole.environments}
    assert results.stale_faults == whole.stale_faults
    assert results.diagnoses == whole.diagnoses
    assert results.end is not None
    assert whole.end is not None
    assert (results.end.exit_code, results.end.message) == (whole.end.exit_code, whole.end.message)
