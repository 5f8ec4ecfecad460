"""What bounds are evaluated in: float64 where that holds every number of theirs, else binary128.

A bound needs no more digits than float64 has. It is a sum of terms none of which is negative, so that nothing cancels:
some sixty operations, sums among them (pairwise, since rows are laid out as such), and the nodes and gradients that go
in, rounded from binary128, leave it good to 2**-45 of itself. (The sums of dy * x, which do cancel, count at 4 u beside
the sum of their absolute values at h u; what is lost there is 2**-50 of that.) So a verdict could change only where an
error is within 2**-45 of a limit, which no constant of the analysis is known to.

What float64 may lack is range. With x, dy, gamma, beta, eps and running statistics each 0 or of a magnitude from
2**-150 to 2**128, the range of float32, and n up to 2**24, it has enough. *Overflow*: where the variance is not 0 its
root is at least 2**-216, since numbers that differ do so by 2**-203 at least, and 1 / sqrt(eps) is at most 2**75; in
inference the variance plus eps, which may cancel, is at least 2**-204. Where a bound means anything the mean's error
times the inverse root is below 1, and normalised values with their errors are below 2**26 in training and 2**230 in
inference. So products of them, of the gradients, of gamma and the inverse root, and squares of dy * xhat stay below
2**800. *Underflow* loses at most 2**-1074 in an operation, times what multiplies it later; but the same factors
multiply eta, 2**-1022 at least, at the end of every bound, which is that much larger. The largest square of a dy * xhat
does not underflow: dy is at least 2**-150, x - mean 2**-204 and the inverse root 2**-129.

Second order stays in binary128: what cancels there is multiplied with errors, not added to them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_reference.arithmetic.quad import QUAD, Quad
from bn_reference.definition.graph import Forward

FLOAT64: np.dtype[Any] = np.dtype(np.float64)

SMALLEST, LARGEST = 2.0**-150, 2.0**128
"""Magnitudes between which numbers lie that bounds in float64 are made of."""


def arithmetic_for(*given: Quad | None) -> np.dtype[Any]:
    """float64 where each number is 0 or of a magnitude that it is enough for, else binary128; None is no number."""
    flat = [np.reshape(values, -1).astype(FLOAT64) for values in given if values is not None]
    size = np.abs(np.concatenate(flat))
    fits = (size <= LARGEST) & ((size >= SMALLEST) | (size == 0))
    return FLOAT64 if fits.all() else QUAD


def rounded(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Rows or a vector in the arithmetic of bounds, each row in one piece."""
    return values.astype(dtype, order="C", copy=False)


def nodes_in(nodes: Forward, dtype: np.dtype[Any]) -> Forward:
    """A forward pass with its nodes in the arithmetic of bounds."""
    return nodes if dtype == QUAD else Forward(**{name: rounded(part, dtype) for name, part in vars(nodes).items()})
