"""Numbers as C99 hexadecimal floats, so that text loses nothing: `0x1.8p-1`, `-0x0p+0`, `nan`, `inf`, `-inf`."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_reference.arithmetic.quad import Quad, quietly, round_to, to_quad

BOUND_BITS = 16
"""Significant bits of a bound in a file: a readable number, smaller than the bound by less than one part in 2**15."""

_ZEROS = re.compile(r"\.?0*p")


def to_hex(value: float) -> str:
    """A binary64 number as a hexadecimal float without trailing zeros."""
    return _ZEROS.sub("p", float(value).hex())


def texts(values: NDArray[Any]) -> list[str]:
    """Numbers of any of the suite's formats, exact in binary64, in the order of their memory."""
    return [to_hex(value) for value in np.asarray(values, np.float64).ravel().tolist()]


@quietly
def parts(values: Quad) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Binary128 numbers as an unevaluated sum: the number rounded to binary64, and the rest rounded to binary64.

    The rest is 0 where the first part is not finite.
    """
    high = round_to(values, np.float64)
    finite = np.isfinite(high)
    rest = np.where(finite, values, to_quad(0.0)) - to_quad(np.where(finite, high, 0.0))
    return high, round_to(np.asarray(rest), np.float64)


@quietly
def rounded_down(values: Quad) -> NDArray[np.float64]:
    """Bounds, 0 or more, rounded down to binary64 numbers of `BOUND_BITS` significant bits."""
    near = round_to(values, np.float64)
    mantissa, exponent = np.frexp(np.where(np.isfinite(near), near, 0.0))
    cut = np.ldexp(np.floor(np.ldexp(mantissa, BOUND_BITS)), exponent - BOUND_BITS)
    previous = np.ldexp(np.floor(np.ldexp(mantissa, BOUND_BITS)) - 1.0, exponent - BOUND_BITS)
    return np.asarray(np.where(to_quad(cut) > values, np.maximum(previous, 0.0), cut))


def bound_texts(values: NDArray[np.float64]) -> list[str | None]:
    """Bounds as hexadecimal floats; None where they are NaN, which stands for vacuous."""
    return [None if math.isnan(value) else to_hex(value) for value in values.ravel().tolist()]


def parse_number(entry: Any) -> float:
    """A number from JSON: a JSON number, or a string with a decimal or hexadecimal float, `nan` or `inf`.

    Raises:
        ValueError: it is none; the message quotes it.
    """
    if isinstance(entry, str) and len(entry) <= 400:
        text = entry.strip().lower()
        try:
            return float.fromhex(text) if "0x" in text else float(text)
        except (ValueError, OverflowError):
            pass
    elif isinstance(entry, int | float) and not isinstance(entry, bool):
        try:
            return float(entry)
        except OverflowError:
            raise ValueError("an integer is larger than any number of these formats; inf is a number") from None
    shown = repr(entry)
    raise ValueError(f"{shown if len(shown) <= 40 else shown[:40] + '...'} is no number")
