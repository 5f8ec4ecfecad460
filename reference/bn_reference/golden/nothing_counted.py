"""Goldens of steps in which no position counts: empty batches, and batches that a mask hides."""

from __future__ import annotations

import numpy as np

from bn_reference.arithmetic.quad import QUAD, Quad
from bn_reference.bounds.bound import Bound
from bn_reference.definition.state import Statistics
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import Grade


def unchanged_statistics(statistics: Statistics) -> dict[str, Expected]:
    """Running statistics that a step must leave as they are."""
    everywhere = np.ones(statistics.mean.shape, np.bool_)
    return {
        "running_mean": Expected(statistics.mean, lambda _: Bound(statistics.mean_error, everywhere)),
        "running_var": Expected(statistics.variance, lambda _: Bound(statistics.variance_error, everywhere)),
    }


def empty_batch(y: Quad, dy: Quad | None) -> dict[str, Expected]:
    """Goldens of a batch in which nothing counts: all are 0.

    A batch without values must give gradients of the parameters that are exactly 0. A batch whose values are all hidden
    by a mask is not judged: its bounds are vacuous.
    """
    channels, y = y.shape[0], np.zeros(y.shape, QUAD)
    zeros, everywhere = np.zeros(channels, QUAD), np.full(channels, y.shape[1] == 0)

    def nothing(grade: Grade) -> Bound:
        return Bound(y, everywhere)

    def zero(grade: Grade) -> Bound:
        return Bound(zeros, everywhere)

    expected = {"y": Expected(y, nothing)}
    if dy is not None:
        expected |= {
            "dx": Expected(y, nothing),
            "dgamma": Expected(zeros, zero),
            "dbeta": Expected(zeros, zero),
        }
    return expected
