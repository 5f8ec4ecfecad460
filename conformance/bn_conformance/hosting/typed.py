"""Plain data checked against type annotations, which say what a message must hold."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from bn_conformance.adapter import LayerConfig
from bn_conformance.hosting.wire import NotAnArray, WireError

Reader = Callable[[Any], Any]
"""Gives the value that plain data stands for; raises `WireError` where it stands for none."""

_PLAIN: Mapping[Any, str] = {int: "whole number", bool: "true or false", str: "text", type(None): "null"}
_JSON: Mapping[type, str] = {**_PLAIN, float: "number", list: "list", dict: "object", np.ndarray: "array"}


def words_of(annotation: Any) -> str:
    """An annotation in the words of the protocol: `array or null`, `list of texts`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if annotation is float:
        return "finite number from 0"
    if annotation is LayerConfig:
        return "configuration"
    if annotation is NotAnArray:
        return "description"
    if origin is np.ndarray:
        return "array"
    if origin in (Union, types.UnionType):
        return " or ".join(words_of(part) for part in arguments)
    if origin is tuple:
        return "list: " + ", ".join(words_of(part) for part in arguments)
    if origin is Sequence:
        return f"list of ({words_of(arguments[0])})"
    if origin is Mapping:
        return "object" if arguments[1] is Any else f"object of ({words_of(arguments[1])})"
    hints = get_type_hints(annotation)
    return "object: " + ", ".join(f"`{name}` {words_of(part)}" for name, part in hints.items())


@cache
def reader_of(annotation: Any) -> Reader:
    """What reads values of an annotation."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return lambda value: value
    if annotation in _PLAIN or annotation is NotAnArray:
        return _instance_reader(annotation, annotation)
    if origin is np.ndarray:
        return _instance_reader(annotation, np.ndarray)
    if annotation is float:
        return _seconds
    if annotation is LayerConfig:
        return _configuration
    if origin in (Union, types.UnionType):
        return _union_reader(annotation, arguments)
    if origin in (tuple, Sequence):
        return _list_reader(annotation, arguments, exact=origin is tuple)
    if origin is Mapping:
        return _mapping_reader(annotation, arguments[1])
    return _dataclass_reader(annotation)


def _mismatch(value: Any, annotation: Any) -> WireError:
    is_what = value.description if isinstance(value, NotAnArray) else _JSON.get(type(value), type(value).__name__)
    return WireError(f"is {is_what}; expected {words_of(annotation)}")


def _instance_reader(annotation: Any, wanted: type) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is not wanted:  # a bool is no number here
            raise _mismatch(value, annotation)
        return value

    return _text if wanted is str else read


def _text(value: Any) -> str:
    if type(value) is not str:
        raise _mismatch(value, str)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise WireError("is text that is not valid Unicode") from None
    return value


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < float("inf"):
        raise _mismatch(value, float)
    return float(value)


def _configuration(value: Any) -> LayerConfig:
    if isinstance(value, LayerConfig):
        return value
    if not isinstance(value, dict):
        raise _mismatch(value, LayerConfig)
    try:
        return LayerConfig.from_json(value)
    except (TypeError, ValueError) as error:
        raise WireError(f"is no configuration: {error}") from None


def _union_reader(annotation: Any, parts: Sequence[Any]) -> Reader:
    readers = [reader_of(part) for part in parts]

    def read(value: Any) -> Any:
        for reader in readers:
            try:
                return reader(value)
            except WireError:
                continue
        raise _mismatch(value, annotation)

    return read


def _list_reader(annotation: Any, parts: Sequence[Any], exact: bool) -> Reader:
    readers = [reader_of(part) for part in parts]

    def read(value: Any) -> Any:
        if not isinstance(value, list) or (exact and len(value) != len(readers)):
            raise _mismatch(value, annotation)
        if exact:
            return tuple(reader(entry) for reader, entry in zip(readers, value, strict=True))
        return [readers[0](entry) for entry in value]

    return read


def _mapping_reader(annotation: Any, entries: Any) -> Reader:
    reader = reader_of(entries)

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _mismatch(value, annotation)
        return {name: reader(entry) for name, entry in value.items()}

    return read


def _dataclass_reader(kind: Any) -> Reader:
    hints = get_type_hints(kind)
    readers = {entry.name: reader_of(hints[entry.name]) for entry in fields(kind)}
    required = frozenset(entry.name for entry in fields(kind) if entry.default is MISSING)

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _mismatch(value, kind)
        if not required <= value.keys():
            raise WireError(f"lacks {min(required - value.keys())}")
        if not value.keys() <= readers.keys():
            raise WireError(f"has an unknown {min(value.keys() - readers.keys())}")
        name, entries = "", {}
        try:
            for name, entry in value.items():
                entries[name] = readers[name](entry)
        except WireError as error:
            raise WireError(f"{name} {error}") from None
        return kind(**entries)

    return read
