"""Choices of a convention as a user writes them: `NAME=VALUE`, for example `running_variance=biased`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from bn_conformance.adapter import Convention
from bn_conformance.targets.naming import TargetError
from bn_conformance.text import did_you_mean
from bn_reference.specification.convention import CHOICES


def fields_of(choices: Iterable[str]) -> dict[str, Any]:
    """The fields of the convention that choices `NAME=VALUE` name, with their values.

    Raises:
        TargetError: there is no such field, a field may not have the value, or a field is named twice.
    """
    known = [entry.name for entry in fields(Convention)]
    values: dict[str, Any] = {}
    for choice in choices:
        name, equals, text = choice.partition("=")
        if not equals:
            raise TargetError(f"{choice!r} is no choice of a convention; write NAME=VALUE, as running_variance=biased")
        if name not in known:
            hint = did_you_mean(name, known, f"it has {', '.join(known)}")
            raise TargetError(f"a convention has no field {name!r}{hint}")
        if name in values:
            raise TargetError(f"{name} is given twice; give it once")
        values[name] = _value(name, text)
    return values


def with_values(convention: Convention, values: Mapping[str, Any]) -> Convention:
    """A convention with other values of some fields.

    Raises:
        TargetError: the values are not declarable together.
    """
    try:
        return replace(convention, **values)
    except ValueError as error:
        raise TargetError(str(error)) from None


def value_text(value: Any) -> str:
    """A value as it is written after `NAME=`."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _value(name: str, text: str) -> Any:
    """The value that a text means for a field.

    Raises:
        TargetError: the field may not have it.
    """
    if name in CHOICES:
        for allowed in CHOICES[name]:
            if text.lower() in _spellings(allowed):
                return allowed
        declarable = ", ".join(value_text(allowed) for allowed in CHOICES[name])
        raise TargetError(f"{name} is {text!r}; declarable are {declarable}")
    if text.lower() == "none":
        return None
    try:
        value = float(text)
    except ValueError:
        raise TargetError(f"{name} is {text!r}; declarable is a number, or none where there is no default") from None
    with_values(Convention(), {name: value})
    return value


def _spellings(value: Any) -> set[str]:
    if isinstance(value, bool):
        return {"true", "yes"} if value else {"false", "no"}
    return {f"{value:g}", str(value)} if isinstance(value, float) else {str(value)}
