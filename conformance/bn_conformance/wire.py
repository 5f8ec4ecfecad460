"""The worker protocol's messages: JSON lines, arrays as dtype, shape and base64 of little-endian bytes.

A request is `{"op": NAME, ...}`, its answer `{"ok": ...}` or `{"error": {"type", "message"}}`. Other languages
implement the same operations (conformance/README.md lists them). Nothing is ever unpickled or evaluated.
"""

from __future__ import annotations

import base64
import binascii
import json
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.recipes import dtype_of

PROTOCOL = 1

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
    return isinstance(value, np.ndarray) and value.dtype.name in _NUMERIC


def native(value: Array) -> Array:
    """The array in this machine's byte order, which is no part of a format."""
    return value if value.dtype.isnative else value.astype(value.dtype.newbyteorder("="))


def encode(value: Any) -> Any:
    """Arrays and containers of them as JSON types; anything else that is no JSON is described."""
    if is_numeric(value):
        little = np.ascontiguousarray(native(value))
        if sys.byteorder == "big":
            little = little.byteswap()
        data = base64.b64encode(little.tobytes()).decode("ascii")
        return {"dtype": value.dtype.name, "shape": list(value.shape), "data": data}
    if isinstance(value, NotAnArray):
        return {"not-an-array": value.description}
    if isinstance(value, dict):
        return {str(key): encode(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [encode(entry) for entry in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return encode(describe_foreign(value))


def decode(value: Any) -> Any:
    """The inverse of `encode`; sequences come back as lists.

    Raises:
        WireError: an array is not what its dtype and shape say.
    """
    if isinstance(value, list):
        return [decode(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"dtype", "shape", "data"}:
        return _array(value)
    if value.keys() == {"not-an-array"}:
        return NotAnArray(str(value["not-an-array"]))
    return {key: decode(entry) for key, entry in value.items()}


def _array(value: dict[str, Any]) -> Array:
    try:
        if value["dtype"] not in _NUMERIC:
            raise WireError(f"dtype {value['dtype']!r} is not of the protocol")
        shape = [int(size) for size in value["shape"]]
        if any(size < 0 for size in shape):  # which NumPy would take for "whatever fits"
            raise WireError(f"shape {shape} is not of the protocol")
        buffer = bytearray(base64.b64decode(value["data"], validate=True))
        array = np.frombuffer(buffer, dtype_of(value["dtype"])).reshape(shape)
    except (ValueError, TypeError, binascii.Error) as error:
        raise WireError(f"an array is malformed ({error})") from None
    return array.byteswap() if sys.byteorder == "big" else array


def to_line(message: dict[str, Any]) -> bytes:
    """A message as a line of bytes."""
    return json.dumps(encode(message), separators=(",", ":")).encode() + b"\n"


def from_line(line: bytes) -> dict[str, Any]:
    """The message of a line.

    Raises:
        WireError: the line is no message.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise WireError(f"a line is not JSON ({error})") from None
    if not isinstance(message, dict):
        raise WireError("a message is not an object")
    decoded: dict[str, Any] = decode(message)
    return decoded
