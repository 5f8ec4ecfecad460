"""Goldens of the gradients of a step, each with its bound and its range."""

from __future__ import annotations

from bn_reference.arithmetic.quad import Quad
from bn_reference.bounds.arithmetic import rounded
from bn_reference.bounds.batch import BatchBounds
from bn_reference.bounds.inference import InferenceBounds
from bn_reference.bounds.ranges import BatchRanges, InferenceRanges
from bn_reference.bounds.sums import GradientSums
from bn_reference.definition import graph
from bn_reference.golden.expected import Expected


def expected_gradients(
    bounds: BatchBounds | InferenceBounds, ranges: BatchRanges | InferenceRanges, dy: Quad, grads: graph.RowGradients
) -> dict[str, Expected]:
    """dx, dgamma and dbeta by name.

    Args:
        bounds: of the batch.
        ranges: of the same.
        dy: rows (C, n).
        grads: golden gradients.
    """
    own = rounded(dy, bounds.work)
    near = graph.RowGradients(*(rounded(part, bounds.work) for part in grads))
    sums = GradientSums.of_rows(own, bounds.x, bounds.nodes.normalised)
    return {
        "dx": Expected(
            grads.dx, lambda grade: bounds.dx(own, sums, near, grade), range_=lambda grade: ranges.dx(own, sums, grade)
        ),
        "dgamma": Expected(
            grads.dgamma,
            lambda grade: bounds.dgamma(sums, near, grade),
            range_=lambda grade: ranges.dgamma(sums, grade),
        ),
        "dbeta": Expected(grads.dbeta, lambda grade: bounds.dbeta(sums, near, grade)),
    }
