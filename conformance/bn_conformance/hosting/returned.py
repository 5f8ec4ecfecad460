"""What an implementation returned, as data: arrays, or descriptions of what is none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.hosting.operations import Returned
from bn_conformance.hosting.wire import NotAnArray, describe_foreign, is_numeric, native
from bn_conformance.text import one_line

REASON_LIMIT = 300
"""Characters of the reason why a configuration is not supported."""


def as_data(value: Any) -> Returned:
    """The array itself in this machine's byte order, or a description of what it is instead."""
    if isinstance(value, NotAnArray):  # described already
        return value
    return native(value) if is_numeric(value) else describe_foreign(value)


def reason(returned: Any) -> str | None:
    """Why a configuration is not supported.

    Raises:
        TypeError: it is no text.
        ValueError: the text is empty.
    """
    if returned is None:
        return None
    if not isinstance(returned, str):
        raise TypeError(f"supports returned {describe_foreign(returned).description}; expected None or a text")
    if not returned.strip():
        raise ValueError("supports returned an empty text; expected None or the reason")
    return one_line(returned, REASON_LIMIT)


def gradients_of(returned: Any) -> Sequence[Any]:
    """dx, dgamma and dbeta of what a backward returned.

    Raises:
        TypeError: it is something else.
    """
    return result_parts("backward", returned, 3, "Gradients(dx, dgamma, dbeta)")


def result_parts(operation: str, returned: Any, count: int, expected: str) -> Sequence[Any]:
    """The parts of a result.

    Raises:
        TypeError: it has not so many.
    """
    try:
        parts = tuple(islice(returned, count + 1))
    except TypeError:
        parts = ()
    if len(parts) != count:
        raise TypeError(f"{operation} returned {describe_foreign(returned).description}; expected {expected}")
    return parts


def snapshot(value: Any) -> Returned:
    """A result as data of its own, which nothing changes any more."""
    return np.array(native(value)) if is_numeric(value) else describe_foreign(value)


def copied(array: Array | None) -> Array | None:
    """A copy, or None."""
    return None if array is None else array.copy()


def content(array: Array | None) -> bytes | None:
    """The bytes of the elements, or None."""
    return None if array is None else array.tobytes()
