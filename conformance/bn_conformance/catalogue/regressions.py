"""Regression files: cases that once failed, each in a JSON file of its own, so that they can be run again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bn_conformance.cases.model import Case
from bn_conformance.catalogue.document import REGRESSION_FORMAT, case_to_json, document_violation, from_json
from bn_conformance.reading import UnusableText, json_of, text_of
from bn_conformance.user_error import UserError

LARGEST_FILE = 1 << 20
"""Bytes of a file that is read at all."""


class RegressionError(UserError):
    """A regression file cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Regression:
    """A case with where it was read from."""

    case: Case
    path: str


def write_regression(path: Path, case: Case, found: Mapping[str, Any]) -> None:
    """Write a regression file.

    Args:
        path: where; folders are made.
        case: the case.
        found: what failed when it was found: plain data, for people.

    Raises:
        OSError: it cannot be written.
    """
    document = {"format": REGRESSION_FORMAT, "found": dict(found), "case": case_to_json(case)}
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def read_regression(path: str | Path) -> Case:
    """Read a regression file.

    Raises:
        RegressionError: it cannot be read, is no regression, or says something that is no case.
    """
    try:
        document = json_of(text_of(path, LARGEST_FILE))
    except UnusableText as error:
        raise RegressionError(f"{path}: {error}; name a file that bnconform fuzz wrote") from None
    try:
        if broken := document_violation(document):
            raise ValueError(broken)
        return from_json(document["case"])
    except ValueError as error:
        raise RegressionError(f"{path}: is no regression of bnconform ({error})") from None


def read_all(paths: Iterable[str]) -> tuple[Regression, ...]:
    """The regressions of files and of folders (every `.json` in them), one for each case.

    Raises:
        RegressionError: one of them cannot be used, or a folder holds none.
    """
    by_id: dict[str, Regression] = {}
    for name in paths:
        path = Path(name)
        members = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not members:
            raise RegressionError(f"{name}: holds no regression (*.json); bnconform fuzz writes them")
        for member in members:
            case = read_regression(member)
            by_id.setdefault(case.id, Regression(case, str(member)))
    return tuple(by_id.values())
