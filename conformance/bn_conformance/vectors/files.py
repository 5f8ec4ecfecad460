"""Documents as files: one a case and convention, the same bytes on every machine."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from bn_conformance.cases.model import Case
from bn_conformance.judging.goldens import Goldens
from bn_conformance.vectors.golden_document import Document, document
from bn_conformance.vectors.named_conventions import DEFAULT

FOLDER = "vectors"
"""Folder of `bn_reference` that holds the schema and the core set."""


@cache
def vector_schema() -> dict[str, Any]:
    """The published JSON Schema of a document."""
    text = files("bn_reference").joinpath(FOLDER, "vectors.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def core_folder() -> Path:
    """The committed core set, as files."""
    return Path(str(files("bn_reference").joinpath(FOLDER, "core")))


def file_name(case_id: str, convention: str) -> str:
    """The name of a document's file: the case's id with dots, and the convention where it is not torch's."""
    suffix = "" if convention == DEFAULT else f"@{convention}"
    return f"{case_id.replace('/', '.')}{suffix}.json"


def document_text(value: Document) -> str:
    """A document as text: an entry a line, but a list of numbers on one line however long."""
    return _text(value, "") + "\n"


def _text(value: Any, indent: str) -> str:
    deeper = indent + " "
    if isinstance(value, dict) and value:
        inner = (f"{deeper}{json.dumps(key)}: {_text(entry, deeper)}" for key, entry in value.items())
        return "{\n" + ",\n".join(inner) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return "[\n" + ",\n".join(deeper + _text(entry, deeper) for entry in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def write_vectors(pairs: Iterable[tuple[Case, str]], folder: Path, goldens: Goldens | None = None) -> list[Path]:
    """Write the documents of cases under conventions; the paths, in order.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    goldens, written = goldens or Goldens(), []
    for case, convention in pairs:
        path = folder / file_name(case.id, convention)
        path.write_text(document_text(document(case, convention, goldens)), encoding="utf-8", newline="\n")
        written.append(path)
    return written
