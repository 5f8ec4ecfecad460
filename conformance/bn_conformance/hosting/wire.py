"""The worker protocol's messages: JSON lines, arrays as dtype, shape and base64 of little-endian bytes.

conformance/PROTOCOL.md describes the messages. Nothing is ever unpickled or evaluated.

A long array's text is never whole in memory: it is written in pieces, and decoded while it comes in.
"""

from __future__ import annotations

import base64
import binascii
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.cases.recipes import dtype_of
from bn_conformance.text import one_line

PROTOCOL = 1

PIECE = 3 << 18
"""Bytes that are encoded at a time; a multiple of 3, so that the texts of pieces make up that of the whole."""

DATA = b'"data":"'
"""What stands before the text of an array."""

CUT = "#"
"""Begins the rest of a text whose beginning was decoded as it came; no digit of base64."""

NUMERIC = frozenset(
    {"float16", "bfloat16", "float32", "float64", "bool"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)
"""Names of the formats that the protocol carries."""


class WireError(Exception):
    """A message is not of the protocol."""


@dataclass(frozen=True)
class NotAnArray:
    """What an implementation returned instead of a NumPy array of numbers: a description, never the object."""

    description: str


def describe_foreign(value: Any) -> NotAnArray:
    """The description of a returned object that is no array of numbers."""
    kind = type(value)
    if kind is np.ndarray:
        return NotAnArray(one_line(f"an array of dtype {value.dtype}"))
    if issubclass(kind, np.ndarray):  # a mask, or other rules of arithmetic, would be lost without a word
        return NotAnArray(one_line(f"a {kind.__module__}.{kind.__name__}, a subclass of numpy.ndarray"))
    return NotAnArray("None" if value is None else one_line(f"an object of type {kind.__name__}"))


def is_numeric(value: Any) -> bool:
    """Whether the value is an array that the protocol can carry: of NumPy's own class, and of numbers."""
    return type(value) is np.ndarray and _name_of(value.dtype) in NUMERIC


@cache
def _name_of(dtype: np.dtype[Any]) -> str:
    """The name of a dtype, which NumPy makes up each time."""
    return dtype.name


def native(value: Array) -> Array:
    """The array in this machine's byte order, which is no part of a format."""
    return value if value.dtype.isnative else value.astype(value.dtype.newbyteorder("="))


class _Long(Exception):
    """An array is too long for its text to be made at once."""


def encode(value: Any) -> Iterator[bytes]:
    """The JSON text of arrays and containers of them; anything else that is no JSON is described.

    It is one piece, made by Python's own encoder, unless there is a long array in it.
    """
    try:
        yield _json(value)
    except _Long:
        yield from _pieces(value)


def _pieces(value: Any) -> Iterator[bytes]:
    """The same text in pieces."""
    if is_numeric(value):
        yield from _encoded(value)
    elif isinstance(value, dict):
        opening = b"{"
        for key, entry in value.items():
            yield opening + _json(str(key)) + b":"
            yield from _pieces(entry)
            opening = b","
        yield b"}" if value else b"{}"
    elif isinstance(value, list | tuple):
        yield b"["
        for position, entry in enumerate(value):
            yield b"," if position else b""
            yield from _pieces(entry)
        yield b"]"
    else:
        yield _json(value)


def _plain(value: Any) -> dict[str, Any]:
    """What is no JSON as JSON: an array that is not long, or a description."""
    if is_numeric(value):
        if value.nbytes > PIECE:
            raise _Long
        return _kind(value) | {"data": binascii.b2a_base64(_bytes(value), newline=False).decode("ascii")}
    description = value if isinstance(value, NotAnArray) else describe_foreign(value)
    return {"not-an-array": description.description}


_compact = json.JSONEncoder(separators=(",", ":"), default=_plain).encode


def _json(value: Any) -> bytes:
    return _compact(value).encode()


def _kind(array: Array) -> dict[str, Any]:
    return {"dtype": _name_of(array.dtype), "shape": array.shape}


def _bytes(array: Array) -> memoryview:
    """The bytes of an array, little-endian."""
    little = np.ascontiguousarray(native(array)).reshape(-1)
    if sys.byteorder == "big":
        little = little.byteswap()
    return little.view(np.uint8).data


def _encoded(array: Array) -> Iterator[bytes]:
    content = _bytes(array)
    yield _json(_kind(array))[:-1] + b"," + DATA
    for start in range(0, len(content), PIECE):
        yield base64.b64encode(content[start : start + PIECE])
    yield b'"}'


def _decoded(value: dict[str, Any], cut: Sequence[bytearray] = ()) -> Any:
    """What an object of parsed JSON stands for: an array, a description, or itself.

    Args:
        value: the object, in which those within it stand for something already.
        cut: beginnings of arrays that were decoded as they came.

    Raises:
        WireError: an array is not what its dtype and shape say.
    """
    if "data" in value and value.keys() == _OF_AN_ARRAY:
        return _array(value, cut)
    if "not-an-array" in value and len(value) == 1:
        return NotAnArray(one_line(str(value["not-an-array"])))
    return value


_OF_AN_ARRAY = frozenset({"dtype", "shape", "data"})

_decode = json.JSONDecoder(object_hook=_decoded).decode


def _array(value: dict[str, Any], cut: Sequence[bytearray]) -> Array:
    try:
        if value["dtype"] not in NUMERIC:
            raise WireError(f"dtype {one_line(repr(value['dtype']))} is not of the protocol")
        shape = value["shape"]
        for size in shape:
            if type(size) is not int or size < 0:  # NumPy takes -1 for "whatever fits"
                raise WireError(f"shape {one_line(str(shape))} is not of the protocol")
        buffer = _buffer(value["data"], cut)
        array = np.frombuffer(buffer, dtype_of(value["dtype"])).reshape(shape)
    except (ValueError, TypeError, IndexError, OverflowError, binascii.Error) as error:
        raise WireError(f"an array is malformed ({one_line(str(error))})") from None
    return array.byteswap() if sys.byteorder == "big" else array


def _buffer(text: Any, cut: Sequence[bytearray]) -> bytearray:
    if not isinstance(text, str) or not text.startswith(CUT):
        return bytearray(binascii.a2b_base64(text, strict_mode=True))
    number, _, rest = text[1:].partition(CUT)
    cut[int(number)].extend(base64.b64decode(rest, validate=True))
    return cut[int(number)]


def encode_line(message: dict[str, Any]) -> bytes:
    """A message as a line of bytes."""
    return b"".join(encode(message)) + b"\n"


@dataclass(frozen=True)
class Line:
    """A line as it was read: its text, without the beginnings of long arrays, and these, decoded."""

    text: bytes
    cut: tuple[bytearray, ...] = ()


def decode_line(line: bytes | Line) -> dict[str, Any]:
    """The message of a line.

    Raises:
        WireError: the line is no message.
    """
    line = line if isinstance(line, Line) else Line(line)
    decode = json.JSONDecoder(object_hook=partial(_decoded, cut=line.cut)).decode if line.cut else _decode
    try:
        message = decode(line.text.decode())
    except (ValueError, RecursionError) as error:
        raise WireError(f"a line is not JSON ({one_line(str(error))})") from None
    if not isinstance(message, dict):
        raise WireError("a message is not an object")
    return message
