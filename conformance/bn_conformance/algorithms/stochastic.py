"""An arithmetic that rounds at random: up or down, each with the probability that makes the error 0 on average.

(Croci et al., "Stochastic rounding: implementation, error analysis and applications", *Royal Society Open Science* 9,
2022.) The error of an operation is below 2u, twice that of rounding to nearest, and of no systematic sign.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_reference.arithmetic.formats import format_of


def rounding_at_random(seed: int) -> type[np.ndarray]:
    """A class of arrays of float32 or 16 bits whose every operation rounds at random, from a seed."""
    random = np.random.default_rng(seed)

    class Rounding(np.ndarray):
        def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
            kept = self.dtype
            plain = [_wide(value) for value in inputs]
            if method == "accumulate" and ufunc is np.add:
                return _accumulated(plain[0], kwargs["axis"], kept, random).view(Rounding)
            if method != "__call__":
                raise TypeError(f"{ufunc.__name__}.{method} is no single operation; add up with another sum")
            result = np.asarray(ufunc(*plain))
            return _rounded(result, kept, random).view(Rounding) if result.dtype.kind == "f" else result

    return Rounding


def _wide(value: Any) -> Any:
    """In float64, where sums, products, quotients and roots of narrower numbers are as good as exact."""
    return np.asarray(value).astype(np.float64) if isinstance(value, np.ndarray | np.generic) else value


def _rounded(values: NDArray[Any], dtype: np.dtype[Any], random: np.random.Generator) -> NDArray[Any]:
    """Numbers of float64 in a narrower format, each rounded to one of its neighbours."""
    known = format_of(dtype)
    exponent = np.maximum(np.frexp(values)[1], known.min_exponent + 1) - known.precision
    with np.errstate(all="ignore"):
        scaled = np.ldexp(values, -exponent)
        rounded = np.ldexp(np.floor(scaled + random.random(scaled.shape)), exponent)
        return np.asarray(rounded.astype(dtype))


def _accumulated(
    rows: NDArray[np.float64], axis: int, dtype: np.dtype[Any], random: np.random.Generator
) -> NDArray[Any]:
    """Running sums along an axis."""
    moved = np.moveaxis(rows, axis, 0)
    sums = moved.astype(dtype)
    for place in range(1, len(moved)):
        sums[place] = _rounded(sums[place - 1].astype(np.float64) + moved[place], dtype, random)
    return np.moveaxis(sums, 0, axis)
