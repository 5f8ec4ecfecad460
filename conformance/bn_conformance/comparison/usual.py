"""The usual array: every number is finite and within a bound that means something. It is judged in few operations.

Half of all arrays have fewer than ten numbers, so that the time goes into the calls. What is found here is what `Block`
finds; every other array is left to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bn_conformance.adapter import Array
from bn_conformance.comparison.blocks import GOLDEN_SHARE, Worst, near_errors
from bn_conformance.results.outcomes import EXACT
from bn_reference.arithmetic.channels import channels_first
from bn_reference.arithmetic.quad import quietly
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import TIGHT

MARGIN = 2.0**-40
"""More than the share by which an error in float64 may be off, and than that of the sums with it."""

FEW = 1 << 10
"""Arrays of up to this many numbers are known again: layers give many of them more than once."""

SMALL = 2.0**-960
"""Distances below it are next to numbers whose errors may underflow in float64."""


@quietly
def survey_usual(expected: Expected, got: Array, channel_axis: int) -> tuple[str, int, Worst] | None:
    """The level of an array of finite numbers within their tight bounds, their number, and the worst of them.

    Args:
        expected: golden rows (or vector) with its bounds.
        got: a tensor, or a vector of shape (C,).
        channel_axis: axis of the channels in `got`.

    Returns:
        None where the array is of another kind, or where it takes the rounded golden to tell. Then nothing is known.
    """
    if not expected.whole or not got.size:
        return None
    rows = channels_first(got[expected.entries], channel_axis)
    if got.size > FEW:
        return _survey(expected, rows)
    key = rows.dtype, rows.tobytes()
    if key not in expected.compared:
        expected.compared[key] = _survey(expected, rows)
    known: tuple[str, int, Worst] | None = expected.compared[key]
    return known


def _survey(expected: Expected, got: Array) -> tuple[str, int, Worst] | None:
    """The same of an array that lies in memory as any."""
    allowed, meaningful = expected.bound(TIGHT)
    if allowed.dtype != np.float64 or allowed.shape != expected.values.shape or not meaningful.all():
        return None
    rows = got.reshape(allowed.shape)
    errors = near_errors(*expected.in_parts, rows.astype(np.float64))
    ratios = errors / allowed
    place = int(ratios.argmax())
    ratio = float(ratios.flat[place])
    if not (ratio <= 1.0 and allowed.min() > 0.0 and allowed.max() < np.inf):  # NaN is no number from 0 to 1
        return None
    exact = rounded_well(rows, errors, allowed)
    if exact is None:
        return None
    row, column = divmod(place, allowed.size // allowed.shape[0])
    worst = Worst(
        sortable=ratio,
        row=expected.first_row + row,
        column=expected.first + column,
        error=float(errors.flat[place]),
        bound=float(allowed.flat[place]),
        ratio=ratio,
        expected=float(expected.values.flat[place]),
        got=float(rows.flat[place]),
    )
    return EXACT if exact else TIGHT.level, got.size, worst


def rounded_well(got: Array, errors: NDArray[np.float64], tight: NDArray[np.float64]) -> bool | None:
    """Whether every number is its golden, rounded to its format, as far as distances between numbers tell.

    A number is the rounded golden where its error is less than half the distance to either neighbour. It is not, and
    the golden's own error does not leave that open (`Block.exact`), where its error exceeds half the larger distance by
    more than that error. The distance away from zero is the larger one.

    Args:
        got: finite numbers.
        errors: |got - golden|.
        tight: what `tight` allows; the golden's own error is at most `GOLDEN_SHARE` of it.

    Returns:
        None where an error lies between, next to a tie, or where a number is so small that float64 may not hold its
        error.
    """
    outward = 0.5 * _distances(got)
    if got.dtype == np.float64 and outward.min() < SMALL:
        return None
    if bool((errors > (1.0 + MARGIN) * (outward + GOLDEN_SHARE * tight)).any()):
        return False
    inward = 0.5 * _distances(np.nextafter(got, np.zeros((), got.dtype)))
    return True if bool((errors < (1.0 - MARGIN) * inward).all()) else None


def _distances(numbers: Array) -> NDArray[Any]:
    """The distance from each number to the next one away from zero; infinite from the largest one.

    Of the magnitudes: NumPy takes the next one of a negative float16 towards zero.
    """
    return np.spacing(np.abs(numbers)).astype(np.float64)
