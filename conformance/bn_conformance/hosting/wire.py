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
from typing import IO, Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.cases.recipes import dtype_of

PROTOCOL = 1

PIECE = 3 << 18
"""Bytes that are encoded at a time; a multiple of 3, so that the texts of pieces make up that of the whole."""

_DATA = b'"data":"'
_CUT = "#"
"""Begins the rest of a text whose beginning was decoded as it came; no digit of base64."""

_NUMERIC = frozenset(
    {"float16", "bfloat16", "float32", "float64", "bool"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)


class WireError(Exception):
    """A message is not of the protocol."""


@dataclass(frozen=True)
class NotAnArray:
    """What an implementation returned instead of a NumPy array of numbers: a description, never the object."""

    description: str


def describe_foreign(value: Any) -> NotAnArray:
    """The description of a returned object that is no array of numbers."""
    if isinstance(value, np.ndarray):
        return NotAnArray(f"an array of dtype {value.dtype}")
    return NotAnArray("None" if value is None else f"an object of type {type(value).__name__}")


def is_numeric(value: Any) -> bool:
    """Whether the value is an array that the protocol can carry."""
    return isinstance(value, np.ndarray) and _name_of(value.dtype) in _NUMERIC


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
        return {**_kind(value), "data": base64.b64encode(_bytes(value)).decode("ascii")}
    description = value if isinstance(value, NotAnArray) else describe_foreign(value)
    return {"not-an-array": description.description}


_compact = json.JSONEncoder(separators=(",", ":"), default=_plain).encode


def _json(value: Any) -> bytes:
    return _compact(value).encode()


def _kind(array: Array) -> dict[str, Any]:
    return {"dtype": _name_of(array.dtype), "shape": array.shape}


def _bytes(array: Array) -> memoryview:
    """The bytes of an array, little-endian."""
    little = np.ascontiguousarray(native(array))
    if sys.byteorder == "big":
        little = little.byteswap()
    return little.reshape(-1).view(np.uint8).data


def _encoded(array: Array) -> Iterator[bytes]:
    content = _bytes(array)
    yield _json(_kind(array))[:-1] + b"," + _DATA
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
    if value.keys() == {"dtype", "shape", "data"}:
        return _array(value, cut)
    if value.keys() == {"not-an-array"}:
        return NotAnArray(str(value["not-an-array"]))
    return value


_decode = json.JSONDecoder(object_hook=_decoded).decode


def _array(value: dict[str, Any], cut: Sequence[bytearray]) -> Array:
    try:
        if value["dtype"] not in _NUMERIC:
            raise WireError(f"dtype {value['dtype']!r} is not of the protocol")
        shape = [int(size) for size in value["shape"]]
        if any(size < 0 for size in shape):  # which NumPy would take for "whatever fits"
            raise WireError(f"shape {shape} is not of the protocol")
        buffer = _buffer(value["data"], cut)
        array = np.frombuffer(buffer, dtype_of(value["dtype"])).reshape(shape)
    except (ValueError, TypeError, IndexError, binascii.Error) as error:
        raise WireError(f"an array is malformed ({error})") from None
    return array.byteswap() if sys.byteorder == "big" else array


def _buffer(text: Any, cut: Sequence[bytearray]) -> bytearray:
    if not isinstance(text, str) or not text.startswith(_CUT):
        return bytearray(base64.b64decode(text, validate=True))
    number, _, rest = text[1:].partition(_CUT)
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


class LineBuffer:
    """Puts lines together from the bytes in which they come.

    A long text under `data` is an array's, and is decoded as it comes.
    """

    def __init__(self) -> None:
        self._text, self._cut, self._fresh = bytearray(), list[bytearray](), 0

    def feed(self, data: bytes) -> list[Line]:
        """Take the next bytes; the lines that end in them."""
        *ends, rest = data.split(b"\n")
        lines = []
        for end in ends:
            self._add(end)
            lines.append(self.rest(b"\n"))
        self._add(rest)
        return lines

    def rest(self, end: bytes = b"") -> Line:
        """The line so far, which ends here."""
        line = Line(bytes(self._text + end), tuple(self._cut))
        self._text, self._cut, self._fresh = bytearray(), [], 0
        return line

    def _add(self, data: bytes) -> None:
        self._text += data
        self._fresh += len(data)
        if self._fresh >= PIECE:
            _cut_out(self._text, self._cut)
            self._fresh = 0


def read_line(stream: IO[bytes]) -> Line:
    """The next line of a stream; its text is empty where there is none."""
    buffer = LineBuffer()
    while piece := stream.readline(PIECE):
        for line in buffer.feed(piece):
            return line
    return buffer.rest()


def _cut_out(text: bytearray, cut: list[bytearray]) -> None:
    """Decode what is there of an array in which a text ends, and leave its number and the rest in its place."""
    start = text.rfind(_DATA) + len(_DATA)
    if start <= len(_DATA) or text.find(b'"', start) >= 0:
        return
    if text[start - len(_DATA) - 1] not in b",{":  # the end of a longer key
        return
    mark = f"{_CUT}{len(cut) - 1}{_CUT}".encode()
    begun = bool(cut) and text.startswith(mark, start)
    start += len(mark) if begun else 0
    end = start + (len(text) - start) // 4 * 4
    try:
        decoded = base64.b64decode(text[start:end], validate=True)
    except ValueError:  # no array of ours; what it is will be seen when the line is whole
        return
    if begun:
        cut[-1] += decoded
        del text[start:end]
    else:
        text[start:end] = f"{_CUT}{len(cut)}{_CUT}".encode()
        cut.append(bytearray(decoded))


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
        raise WireError(f"a line is not JSON ({error})") from None
    if not isinstance(message, dict):
        raise WireError("a message is not an object")
    return message
