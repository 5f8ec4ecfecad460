"""A record as one line of JSON, and back.

Non-finite numbers are the strings "NaN", "Infinity" and "-Infinity". The published schema of a line is
`schemas/results.schema.json`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from math import isfinite, isnan
from types import NoneType
from typing import Any, TypeVar, cast

from bn_conformance.reading import within_depth
from bn_conformance.results.outcomes import outcome_rank, verdict_as_counted
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
from bn_conformance.text import one_line
from bn_conformance.user_error import UserError

RESULTS_FORMAT = 1
"""Version of the results format; a reader refuses any other."""

STATUSES = ("ok", "not-installed", "broken")
"""What `Environment.status` may be."""

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
    "tuple[float, float] | None": (tuple, NoneType),
    "tuple[str, ...] | None": (tuple, NoneType),
}
_ELEMENTS = {
    "tuple[str, ...]": str,
    "tuple[str, ...] | None": str,
    "tuple[int, ...] | None": int,
    "tuple[float, float] | None": float,
}
_Built = TypeVar("_Built")


class ResultsError(UserError):
    """A results file cannot be used; the message says why and what to do."""


class OtherFormat(ResultsError):
    """A results file is of another format, that is, of another version of the suite."""


def _plain(value: Any) -> Any:
    """A value in JSON types: fields that are None are left out, NumPy's scalars are numbers."""
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, float):
        return value if isfinite(value) else "NaN" if isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    unfolded = _unfolded(value)
    return value if unfolded is value else _plain(unfolded)


def _unfolded(value: Any) -> Any:
    """A value that JSON does not know, one step nearer to one that it knows."""
    if is_dataclass(value):
        names = _field_names(cast(Any, type(value)))
        return {name: entry for name in names if (entry := getattr(value, name)) is not None}
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    return value.item() if hasattr(value, "item") else value


@cache
def _field_names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls))


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_unfolded)


def to_line(record: Record) -> str:
    """The record as one line of JSON, without the newline."""
    start = {"type": _NAMES[type(record)]} | ({"format": RESULTS_FORMAT} if isinstance(record, Header) else {})
    unfolded = start | _unfolded(record)
    try:
        return _ENCODER.encode(unfolded)
    except ValueError:  # a number that is not finite; most records have none, and this way takes four times as long
        return _ENCODER.encode(_plain(unfolded))


@dataclass(frozen=True)
class _FieldCheck:
    """What a field of a record may hold: types of its value and, for a tuple, of each element."""

    accepted: tuple[type, ...]
    element: type | None
    plain: frozenset[type]
    """Those of the accepted types whose values need no further look."""

    def admits(self, value: Any) -> bool:
        element = self.element
        if element is not None and isinstance(value, tuple):
            return all(isinstance(entry, element) for entry in value)
        return isinstance(value, self.accepted)


@cache
def _field_checks(cls: type[Any]) -> dict[str, _FieldCheck]:
    checks = {}
    for field in fields(cls):
        annotation = cast(str, field.type)
        accepted = _ACCEPTED.get(annotation, (Mapping,) if annotation.startswith("Mapping") else (tuple,))
        plain = frozenset(accepted) - {tuple, Mapping}
        checks[field.name] = _FieldCheck(accepted, _ELEMENTS.get(annotation), plain)
    return checks


def _build(cls: type[_Built], data: dict[str, Any]) -> _Built:
    """Make a dataclass of parsed fields.

    Raises:
        TypeError: a field is unknown, lacking or of another type.
    """
    built = cls(**data)
    checks = _field_checks(cast(Any, cls))
    for name, value in data.items():
        check = checks[name]
        if type(value) not in check.plain and not check.admits(value):
            raise TypeError(f"{name} of {cls.__name__} is {value!r}")
    return built


@cache
def _check_outcome(outcome: Any) -> None:
    try:
        outcome_rank(outcome)
    except ValueError:
        raise ValueError(f"outcome is {outcome!r}") from None


def _quantity(data: dict[str, Any]) -> Quantity:
    for name in _NUMBERS:
        if isinstance(data.get(name), str):
            data[name] = _NON_FINITE[data[name]]
    if "ends" in data:
        data["ends"] = tuple(float(_NON_FINITE.get(end, end)) for end in data["ends"])
    if "index" in data:
        data["index"] = tuple(data["index"])
    _check_outcome(data["outcome"])
    return _build(Quantity, data | {"clauses": tuple(data["clauses"])})


def _header(data: dict[str, Any]) -> Header:
    if data.pop("format") != RESULTS_FORMAT:
        raise OtherFormat("it was written by another version of bnconform; run the matrix again")
    lists = {
        "implementations": tuple(data["implementations"]),
        "planned": tuple(data["planned"]),
        "cases": tuple(_build(CaseInfo, case | {"clauses": tuple(case["clauses"])}) for case in data["cases"]),
        "clauses": tuple(_build(ClauseInfo, clause) for clause in data["clauses"]),
    }
    return _build(Header, data | lists)


def _environment(data: dict[str, Any]) -> Environment:
    if data["status"] not in STATUSES:
        raise ValueError(f"status is {data['status']!r}")
    return _build(Environment, data)


def _item(data: dict[str, Any]) -> Item:
    data["quantities"] = tuple(_quantity(quantity) for quantity in data["quantities"])
    if "explained_by" in data:
        data["explained_by"] = tuple(data["explained_by"])
    _check_outcome(data["outcome"])
    data["verdict"] = verdict_as_counted(data["verdict"], data["outcome"])
    return _build(Item, data)


def _diagnosis(data: dict[str, Any]) -> Diagnosis:
    return _build(Diagnosis, data | {"deviations": tuple(data["deviations"])})


_RECORDS: dict[str, tuple[type[Record], Callable[[dict[str, Any]], Record]]] = {
    "header": (Header, _header),
    "environment": (Environment, _environment),
    "item": (Item, _item),
    "stale-fault": (StaleFault, lambda data: _build(StaleFault, data)),
    "diagnosis": (Diagnosis, _diagnosis),
    "end": (End, lambda data: _build(End, data)),
}
"""By the value of `type`: the class of a record, and what makes one of parsed JSON."""

_NAMES = {cls: name for name, (cls, _) in _RECORDS.items()}


def from_line(line: str) -> Record:
    """The record that `to_line` wrote.

    Raises:
        ResultsError: the line is no record of this format.
    """
    try:
        data = json.loads(line)
        if data["type"] != "item" and not within_depth(data):  # an item has no field that may hold anything
            raise ValueError("nested too deeply")
        _, parse = _RECORDS[data.pop("type")]
        return parse(data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = one_line(f"{type(error).__name__}: {error}")
        raise ResultsError(f"it is not a record of a results file ({why})") from None
