"""The results file: JSON lines, one record a line: the header first, the end last.

The file is the product of a run. Everything that is shown to a person is made from it alone. Its published schema is
`schemas/results.schema.json`; non-finite numbers are the strings "NaN", "Infinity" and "-Infinity".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from math import isfinite, isnan
from pathlib import Path
from types import NoneType
from typing import Any, TextIO, TypeVar, cast

from bn_conformance.results.outcomes import Verdict, outcome_rank
from bn_conformance.results.records import (
    CaseInfo,
    ClauseInfo,
    Diagnosis,
    End,
    Environment,
    Header,
    Item,
    Quantity,
    Record,
    StaleFault,
)

__all__ = [
    "FORMAT",
    "CaseInfo",
    "ClauseInfo",
    "Diagnosis",
    "End",
    "Environment",
    "Header",
    "Item",
    "Quantity",
    "Record",
    "Results",
    "ResultsError",
    "StaleFault",
    "Writer",
    "from_line",
    "read",
    "to_line",
    "write",
]

FORMAT = 1
"""Version of the results format; a reader refuses any other."""

STATUSES = ("ok", "not-installed", "broken")
"""What `Environment.status` may be."""

_TYPES: dict[str, type[Record]] = {
    "header": Header,
    "environment": Environment,
    "item": Item,
    "stale-fault": StaleFault,
    "diagnosis": Diagnosis,
    "end": End,
}
_NAMES = {cls: name for name, cls in _TYPES.items()}
_NON_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_NUMBERS = ("error", "bound", "ratio", "ulp", "expected", "got", "excess")
_ACCEPTED: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "str | None": (str, NoneType),
    "int": (int,),
    "bool": (bool,),
    "float": (int, float),
    "float | None": (int, float, NoneType),
    "tuple[int, ...] | None": (tuple, NoneType),
    "tuple[str, ...] | None": (tuple, NoneType),
}
_ELEMENTS = {"tuple[str, ...]": str, "tuple[str, ...] | None": str, "tuple[int, ...] | None": int}
_Built = TypeVar("_Built")


class ResultsError(Exception):
    """A results file cannot be used; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """A results file, read. `end` is None where the file was cut off."""

    path: str
    header: Header
    environments: tuple[Environment, ...]
    items: tuple[Item, ...]
    stale_faults: tuple[StaleFault, ...]
    end: End | None
    diagnoses: tuple[Diagnosis, ...] = ()

    def missing(self) -> tuple[str, ...]:
        """Planned ids that never reported."""
        reported = {item.id for item in self.items}
        return tuple(planned for planned in self.header.planned if planned not in reported)


def _plain(value: Any) -> Any:
    """JSON types only: dataclasses without their absent fields, NumPy's scalars as numbers, non-finite as strings."""
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, float):
        return value if isfinite(value) else "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, set | frozenset):
        return _plain(sorted(value))
    if is_dataclass(value):
        named = ((part.name, getattr(value, part.name)) for part in fields(value))
        return {name: _plain(entry) for name, entry in named if entry is not None}
    return _plain(value.item()) if hasattr(value, "item") else value


def to_line(record: Record) -> str:
    """The record as one line of JSON, without the newline."""
    data = {"type": _NAMES[type(record)], "format": FORMAT} if isinstance(record, Header) else {}
    data = data or {"type": _NAMES[type(record)]}
    return json.dumps(data | _plain(record), separators=(",", ":"), allow_nan=False)


@cache
def _checks(cls: type[Any]) -> tuple[tuple[str, tuple[type, ...], type | None], ...]:
    """Of each field of a dataclass its name, the types it may have, and that of its elements."""
    by_kind = ((part.name, cast(str, part.type)) for part in fields(cls))
    return tuple(
        (name, _ACCEPTED.get(kind) or ((Mapping,) if kind.startswith("Mapping") else (tuple,)), _ELEMENTS.get(kind))
        for name, kind in by_kind
    )


def _build(cls: type[_Built], data: dict[str, Any]) -> _Built:
    """The dataclass from its fields, each of the type that it says.

    Raises:
        TypeError: a field is unknown, lacking or of another type.
    """
    value = cls(**data)
    for name, accepted, element in _checks(cast(Any, cls)):
        entry: Any = getattr(value, name)
        right = isinstance(entry, accepted)
        if right and element and entry:
            right = all(isinstance(one, element) for one in entry)
        if not right:
            raise TypeError(f"{name} of {cls.__name__} is {entry!r}")
    return value


def _outcome(outcome: Any) -> None:
    try:
        outcome_rank(outcome)
    except ValueError:
        raise ValueError(f"outcome is {outcome!r}") from None


def _quantity(data: dict[str, Any]) -> Quantity:
    for name in _NUMBERS:
        if isinstance(data.get(name), str):
            data[name] = _NON_FINITE[data[name]]
    if "index" in data:
        data["index"] = tuple(data["index"])
    _outcome(data["outcome"])
    return _build(Quantity, data | {"clauses": tuple(data["clauses"])})


def _header(data: dict[str, Any]) -> dict[str, Any]:
    if data.pop("format") != FORMAT:
        raise ResultsError("it was written by another version of bnconform; run the matrix again")
    for key in ("implementations", "planned"):
        data[key] = tuple(data[key])
    data["cases"] = tuple(_build(CaseInfo, case | {"clauses": tuple(case["clauses"])}) for case in data["cases"])
    data["clauses"] = tuple(_build(ClauseInfo, clause) for clause in data["clauses"])
    return data


def from_line(line: str) -> Record:
    """The record that `to_line` wrote.

    Raises:
        ResultsError: the line is no record of this format.
    """
    try:
        data = json.loads(line)
        kind = _TYPES[data.pop("type")]
        if kind is Header:
            data = _header(data)
        elif kind is Item:
            data["quantities"] = tuple(_quantity(quantity) for quantity in data["quantities"])
            if "explained_by" in data:
                data["explained_by"] = tuple(data["explained_by"])
            _outcome(data["outcome"])
            Verdict(data["verdict"])
        elif kind is Diagnosis:
            data["deviations"] = tuple(data["deviations"])
        elif kind is Environment and data["status"] not in STATUSES:
            raise ValueError(f"status is {data['status']!r}")
        return _build(kind, data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ResultsError(f"it is not a record of a results file ({type(error).__name__}: {error})") from None


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each whole line of a file; a last line without its newline was cut off and is left out.

    Raises:
        ResultsError: the file cannot be read, or is not UTF-8 text.
    """
    try:
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, 1):
                if line.endswith("\n"):
                    yield number, line
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error.strerror}); name a file that bnconform run wrote") from None
    except UnicodeDecodeError:
        raise ResultsError(f"{path}: is not a results file (not UTF-8 text)") from None


def split_id(item: str) -> tuple[str, str]:
    """Implementation and case of an item's id."""
    implementation, _, case = item.rpartition("::")
    return implementation, case


def _check_plan(header: Header, cases: frozenset[str]) -> None:
    implementations = frozenset(header.implementations)
    for planned in header.planned:
        implementation, case = split_id(planned)
        if implementation not in implementations or case not in cases:
            raise ResultsError(f"it plans {planned!r}, but names no such implementation or case")


def _records(path: Path) -> Iterator[Record]:
    header: Header | None = None
    cases: frozenset[str] = frozenset()
    for number, line in lines(path):
        try:
            record = from_line(line)
            if isinstance(record, Header):
                if header:
                    raise ResultsError("a second header; put results files together with bnconform merge")
                header, cases = record, frozenset(case.id for case in record.cases)
                _check_plan(header, cases)
            elif header is None:
                raise ResultsError("is not a results file (no header); name a file that bnconform run wrote")
            elif (
                isinstance(record, Item | Environment | Diagnosis)
                and record.implementation not in header.implementations
            ):
                raise ResultsError(f"the header names no implementation {record.implementation!r}")
            elif isinstance(record, Item) and record.case not in cases:
                raise ResultsError(f"the header names no case {record.case!r}")
        except ResultsError as error:
            raise ResultsError(f"{path}, line {number}: {error}") from None
        yield record


def read(path: str | Path) -> Results:
    """Read a results file; one that was cut off in the middle is read up to its last whole line.

    Raises:
        ResultsError: there is no such file, it is not a results file, or it is of another version.
    """
    records = list(_records(Path(path)))
    if not records:
        raise ResultsError(f"{path}: is empty, or was cut off in its first line; run the matrix again")
    return Results(
        path=str(path),
        header=cast(Header, records[0]),
        environments=tuple(record for record in records if isinstance(record, Environment)),
        items=tuple(record for record in records if isinstance(record, Item)),
        stale_faults=tuple(record for record in records if isinstance(record, StaleFault)),
        end=next((record for record in records if isinstance(record, End)), None),
        diagnoses=tuple(record for record in records if isinstance(record, Diagnosis)),
    )


class Writer:
    """Writes a results file a record at a time, flushed, so that a run that is cut off loses nothing before the cut."""

    def __init__(self, path: str | Path) -> None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._stream: TextIO = Path(path).open("w", encoding="utf-8")  # noqa: SIM115 (close() closes it)

    def write(self, *records: Record) -> None:
        """Append records."""
        self._stream.writelines(to_line(record) + "\n" for record in records)
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def write(path: str | Path, records: Iterable[Record]) -> None:
    """Write all records of a results file."""
    writer = Writer(path)
    writer.write(*records)
    writer.close()
