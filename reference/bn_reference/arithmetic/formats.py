"""The floating-point formats of cases and bounds.

A format is named by its NumPy (or ml_dtypes) name. The numbers come from IEEE 754-2019, table 3.5, and, for
bfloat16, from the format's definition (the upper half of a float32).
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    Attributes:
        name: NumPy's name of the dtype.
        precision: significant bits, the hidden one included.
        min_exponent: exponent of the smallest normal number, which is ``2.0**min_exponent``.
        max_exponent: exponent of the largest finite number, which is just below ``2.0**(max_exponent + 1)``.
    """

    name: str
    precision: int
    min_exponent: int
    max_exponent: int

    def __hash__(self) -> int:
        """The hash of the name, which Python caches: formats are keys of tables that are read for every number."""
        return hash(self.name)

    @property
    def unit_roundoff(self) -> float:
        """Largest relative error of rounding to nearest, ``2**-precision``."""
        return 2.0**-self.precision

    @property
    def smallest_normal(self) -> float:
        """Smallest positive normal number."""
        return 2.0**self.min_exponent

    @property
    def largest(self) -> float:
        """Largest finite number."""
        return (2.0 - 2.0 ** (1 - self.precision)) * 2.0**self.max_exponent


FORMATS = {
    "float16": Format("float16", 11, -14, 15),
    "bfloat16": Format("bfloat16", 8, -126, 127),
    "float32": Format("float32", 24, -126, 127),
    "float64": Format("float64", 53, -1022, 1023),
}


@cache
def format_of(dtype: Hashable) -> Format:
    """The format of a dtype, given as its name, a NumPy dtype or a scalar type.

    Raises:
        ValueError: the dtype is not one that the suite knows.
    """
    name = dtype if isinstance(dtype, str) else getattr(dtype, "name", getattr(dtype, "__name__", str(dtype)))
    try:
        return FORMATS[name]
    except KeyError:
        raise ValueError(f"dtype is {name!r}; allowed are {', '.join(FORMATS)}") from None


def nearest(value: float, format_: Format) -> float:
    """The number of a format that is nearest to a finite one, ties to even; overflow is infinite.

    Scaling by a power of two is exact, and `round` takes ties to even.
    """
    exponent = max(math.frexp(value)[1] - 1, format_.min_exponent)
    quantum = exponent - (format_.precision - 1)
    rounded = math.ldexp(round(math.ldexp(value, -quantum)), quantum)
    return rounded if abs(rounded) <= format_.largest else math.copysign(math.inf, value)


def compute_format(storage: Format) -> Format:
    """The format that a sound implementation computes in for a storage format: float32 at least."""
    return storage if storage.precision >= FORMATS["float32"].precision else FORMATS["float32"]
