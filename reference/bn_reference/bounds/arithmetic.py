"""The arithmetic of bounds: float64 where its range is enough, else binary128.

**Digits.** float64 always has enough of them. A bound is a sum of terms that are 0 or positive, so nothing cancels. It
takes some sixty operations; its sums are pairwise, since rows are contiguous. Nodes and gradients go in rounded from
binary128. The bound is then good to 2**-45 of itself. (The sums of dy * x do cancel. They count at 4 u, beside the sum
of their absolute values at h u, so the loss is 2**-50 of that.) A verdict could change only where an error is within
2**-45 of a limit, and the constants of the analysis are not known that closely.

**Range.** float64 has enough of it where x, dy, gamma, beta, eps and running statistics are each 0 or of a magnitude
from 2**-150 to 2**128, the range of float32, and n is at most 2**24.

*Overflow.* Numbers that differ do so by at least 2**-203. So a variance that is not 0 has a root of at least 2**-216,
and 1 / sqrt(eps) is at most 2**75. In inference the variance plus eps may cancel, and is at least 2**-204. Where a
bound is not vacuous, the error of the mean times the inverse root is below 1. Normalised values with their errors are
then below 2**26 in training and below 2**230 in inference. So products of these with the gradients, gamma and the
inverse root, and squares of dy * xhat, stay below 2**800.

*Underflow.* An operation loses at most 2**-1074, times what multiplies it later. Every bound ends in eta times the same
factors, and eta is at least 2**-1022, so the loss is negligible. The largest square of a dy * xhat does not underflow:
dy is at least 2**-150, x - mean at least 2**-204 and the inverse root at least 2**-129.

**Numbers that are not finite** decide nothing. Channels are apart: a NaN or an infinity in x, dy, gamma, beta or a
statistic reaches only bounds of its own channel (one in eps reaches all). What such a bound makes of its finite numbers
is as above: no overflow, and no 0 in the place of a number. What it makes of the others follows the same rules of IEEE
754 in both arithmetics: NaN stays NaN, infinity minus infinity and 0 times infinity are NaN, and a comparison with NaN
is false. So a bound is finite in one arithmetic where it is in the other. One that is not finite judges nothing, and
neither does a range whose ends are not. The tests of whether a bound is vacuous compare it with the size of the
result, and both have the same kind in both arithmetics.

**The second order.** There, sums that cancel are multiplied with errors, not added to them. So they come rounded from
binary128 (`projections`), and the rest is again a sum of terms that are 0 or positive. Numbers are multiplied more
often: float64 has enough range where each number that goes in is 0 or between 2**-64 and 2**64. Then, in training, the
root of a variance that is not 0 is at least 2**-128, |xhat| is at most sqrt(n), 2**12, and where a bound is not
vacuous, the error of the mean times the inverse root is below 1. A projection is below 2**77, and its error below
2**107. The largest product, of the inverse root twice, gamma and two of these, stays below 2**521, and squares of terms
below 2**670. In inference the inverse root is at most 2**58, and products below 2**260. Nothing that is not 0 is below
2**-400 before it is multiplied with eta.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_reference.arithmetic.quad import QUAD, Quad
from bn_reference.arithmetic.words import near_float64
from bn_reference.definition.graph import Forward

FLOAT64: np.dtype[Any] = np.dtype(np.float64)

SMALLEST, LARGEST = 2.0**-150, 2.0**128
"""The range of magnitudes for which float64 is enough in the first order."""

SECOND_ORDER = 2.0**-64, 2.0**64
"""That of the second order."""


def arithmetic_for(
    *given: Quad | NDArray[np.float64] | None, within: tuple[float, float] = (SMALLEST, LARGEST)
) -> np.dtype[Any]:
    """float64 where every finite number is 0 or of a magnitude within a range, else binary128.

    Args:
        given: arrays of any shape; None is skipped.
        within: the range, both ends included.
    """
    return FLOAT64 if all(values is None or _fits(values, *within) for values in given) else QUAD


def _fits(values: Quad | NDArray[np.float64], smallest: float, largest: float) -> bool:
    """Whether every finite number is 0 or within a range."""
    values = np.asarray(values)
    size = np.abs(rounded(values, FLOAT64))
    beyond = (size > largest) | (size < smallest)  # both are False for NaN
    if not beyond.any():
        return True
    rest = values[beyond]  # zeros, infinities, and what float64 rounds to these
    return bool(((rest == 0) | np.isinf(rest)).all())


def rounded(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Rows or a vector in the arithmetic of bounds, contiguous."""
    if dtype == FLOAT64 and values.dtype == QUAD:
        return near_float64(values)
    return values.astype(dtype, order="C", copy=False)


def nodes_in(nodes: Forward, dtype: np.dtype[Any]) -> Forward:
    """A forward pass with its nodes in the arithmetic of bounds."""
    return nodes if dtype == QUAD else Forward(**{name: rounded(part, dtype) for name, part in vars(nodes).items()})
