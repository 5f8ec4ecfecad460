"""Reads results that were made elsewhere, as JSON lines or one JSON list. Nothing in the file is trusted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bn_conformance.cases.model import STATISTICS
from bn_conformance.reading import UnusableText, text_of, why_not_json
from bn_conformance.user_error import UserError
from bn_conformance.vectors.hexfloat import parse_number
from bn_conformance.vectors.named_conventions import DEFAULT

LARGEST_FILE = 1 << 30
"""Bytes of a file that is read at all."""

QUANTITIES = ("y", "dx", "dgamma", "dbeta", "running_mean", "running_var")
KEYS = frozenset({"case", "convention", "step", "quantity", "values", "shape", "refused"})


class RecordError(UserError):
    """A record, or the whole file, cannot be used; the message says why."""


@dataclass(frozen=True)
class SubmittedRecord:
    """One record: numbers of a quantity of a step of a case, or, with `refused`, that a step raised an error.

    Attributes:
        line: line of the file on which it begins.
        case: id of the case.
        convention: name of the convention.
        step: number among the steps with data.
        quantity: one of `QUANTITIES`; empty where it refused.
        values: the numbers in C order.
        shape: their shape; None for that of the case.
        refused: text of the error that was raised, or None.
    """

    line: int
    case: str
    convention: str
    step: int
    quantity: str = ""
    values: tuple[float, ...] = ()
    shape: tuple[int, ...] | None = None
    refused: str | None = None

    @property
    def vector(self) -> bool:
        """Whether it is one number a channel."""
        return self.quantity in STATISTICS or self.quantity in ("dgamma", "dbeta")


@dataclass(frozen=True)
class UnusableLine:
    """Something in the file that cannot be used, by the line it is on; other records are judged nevertheless."""

    line: int
    message: str


def read_submission(path: str) -> list[SubmittedRecord | UnusableLine]:
    """Every record of a file, and a problem in the place of each that cannot be used.

    Raises:
        RecordError: the file cannot be read as text.
    """
    try:
        text = text_of(path, LARGEST_FILE)
    except UnusableText as error:
        raise RecordError(f"{path}: {error}; name a file of results as JSON lines") from None
    values = _listed(text) if text.lstrip().startswith("[") else _lined(text)
    return [value if isinstance(value, UnusableLine) else _record(*value) for value in values]


def _lined(text: str) -> Iterator[tuple[int, Any] | UnusableLine]:
    """The value of each line that is not blank."""
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            cut = "; the file may be cut off" if number == len(lines) else ""
            yield UnusableLine(number, f"is not JSON ({why_not_json(error)}){cut}")


def _listed(text: str) -> Iterator[tuple[int, Any] | UnusableLine]:
    """The values of a JSON list, one by one, so that those before a mistake are kept."""
    decoder, position, counted, line = json.JSONDecoder(), text.index("[") + 1, 0, 1
    separators = " \t\r\n"
    while True:
        while position < len(text) and text[position] in separators:
            position += 1
        line, counted = line + text.count("\n", counted, position), position
        if text[position : position + 1] == "]":
            if text[position + 1 :].strip():
                yield UnusableLine(line, "there is text after the end of the list")
            return
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            yield UnusableLine(
                line, f"is not JSON ({why_not_json(error)}); the file may be cut off, and nothing after is read"
            )
            return
        yield line, value
        separators = " \t\r\n,"


def _record(line: int, data: Any) -> SubmittedRecord | UnusableLine:
    try:
        return _checked(line, data)
    except RecordError as error:
        return UnusableLine(line, str(error))


def _checked(line: int, data: Any) -> SubmittedRecord:
    if not isinstance(data, dict):
        raise RecordError("is no record; a record is an object with case, step, quantity and values")
    unknown = sorted(data.keys() - KEYS)
    if unknown:
        raise RecordError(f"has the unknown key {unknown[0][:40]!r}; keys are {', '.join(sorted(KEYS))}")
    case, convention, step = data.get("case"), data.get("convention") or DEFAULT, data.get("step", 0)
    if not isinstance(case, str) or not isinstance(convention, str):
        raise RecordError("case and convention must be texts, and case must be there")
    if type(step) is not int or step < 0 or ("step" not in data and "refused" not in data):
        raise RecordError("step must be the number of a step with data, from 0")
    if "refused" in data:
        if not isinstance(data["refused"], str) or data.keys() & {"quantity", "values", "shape"}:
            raise RecordError("refused must be the text of the error, in a record without quantity, values and shape")
        return SubmittedRecord(line, case, convention, step, refused=data["refused"])
    quantity = data.get("quantity")
    if quantity not in QUANTITIES:
        raise RecordError(f"quantity is {str(quantity)[:40]!r}; allowed are {', '.join(QUANTITIES)}")
    values = _values(data.get("values"))
    return SubmittedRecord(line, case, convention, step, quantity, values, _shape(data.get("shape"), len(values)))


def _values(values: Any) -> tuple[float, ...]:
    if not isinstance(values, list):
        raise RecordError("values must be a flat list of numbers, in C order")
    numbers = []
    for index, value in enumerate(values):
        try:
            numbers.append(parse_number(value))
        except ValueError as error:
            raise RecordError(f"values[{index}]: {error}") from None
    return tuple(numbers)


def _shape(shape: Any, count: int) -> tuple[int, ...] | None:
    if shape is None:
        return None
    if not isinstance(shape, list) or len(shape) > 8 or any(type(size) is not int or size < 0 for size in shape):
        raise RecordError("shape must be a list of sizes")
    expected_count = 1
    for size in shape:
        expected_count *= size
    if expected_count != count:
        needed = expected_count if expected_count < 10**12 else "far more"
        raise RecordError(f"has {count} values; the shape {shape} needs {needed}")
    return tuple(shape)
