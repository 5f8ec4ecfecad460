"""Results as someone in another language would write them: the golden of each owed quantity, rounded to its format."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bn_conformance.cases.recipes import dtype_of
from bn_conformance.catalogue import all_cases
from bn_conformance.judging.goldens import Goldens
from bn_conformance.vectors.golden_document import document
from bn_conformance.vectors.hexfloat import texts

Result = dict[str, Any]


def results(case: str, convention: str = "torch") -> list[Result]:
    return list(_results(document(all_cases()[case], convention, Goldens())))


def _results(vector: dict[str, Any]) -> Iterator[Result]:
    head = {"case": vector["case"], "convention": vector["convention"]["name"]}
    for step in vector["steps"]:
        found = {**step.get("expected", {}), **step.get("after", {})}
        for quantity in step.get("owed", ()):
            golden = found[quantity]
            values = np.array([float.fromhex(text) for text in golden["values"]])
            stored = values.astype(dtype_of(golden["dtype"]))
            body = {"step": step["step"], "quantity": quantity, "values": texts(stored), "shape": golden["shape"]}
            yield head | body


def write(folder: Path, records: list[Any]) -> str:
    path = folder / "results.jsonl"
    path.write_text("".join((record if isinstance(record, str) else json.dumps(record)) + "\n" for record in records))
    return str(path)


def change(records: list[Result], step: int, quantity: str, index: int, factor: float) -> list[Result]:
    """The records with one number of one quantity multiplied."""
    changed = json.loads(json.dumps(records))
    for record in changed:
        if (record["step"], record["quantity"]) == (step, quantity):
            record["values"][index] = float.fromhex(record["values"][index]) * factor
    return list(changed)
