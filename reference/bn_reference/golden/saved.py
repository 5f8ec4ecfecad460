"""Goldens of the statistics that a training forward saves for its backward: item 3 of BOUNDS.md."""

from __future__ import annotations

import numpy as np

from bn_reference.bounds.batch import BatchBounds
from bn_reference.bounds.bound import Bound
from bn_reference.golden.expected import Expected
from bn_reference.golden.golden import Golden
from bn_reference.specification.grades import Grade


def saved_statistics(golden: Golden) -> dict[str, Expected]:
    """saved_mean and saved_invstd of a training batch without a mask, vectors of shape (C,).

    Args:
        golden: of the batch.
    """
    nodes, bounds = golden.nodes, golden.bounds
    return {
        "saved_mean": Expected(nodes.mean, lambda grade: _mean(bounds, grade)),
        "saved_invstd": Expected(nodes.inverse_deviation, lambda grade: _inverse(bounds, grade)),
    }


def _mean(bounds: BatchBounds, grade: Grade) -> Bound:
    """Dmu of item 1, and storing."""
    errors = bounds.statistics(grade)
    stored = bounds.parameter_precision(grade).stored(bounds.nodes.mean, None)
    return Bound(np.asarray(errors.mean + stored), errors.sums)


def _inverse(bounds: BatchBounds, grade: Grade) -> Bound:
    """e_r of item 3, and storing."""
    errors, inverse = bounds.statistics(grade), bounds.nodes.inverse_deviation
    stored = bounds.parameter_precision(grade).stored(inverse, None)
    return Bound(np.asarray(errors.root * inverse + bounds.precision(grade).eta_kept + stored), errors.meaningful)
