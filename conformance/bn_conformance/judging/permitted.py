"""Results that a clause permits though they are not what the definition says: each has a name, and is not `wrong`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bn_conformance.hosting.operations import Returned
from bn_conformance.judging.context import StepContext
from bn_conformance.results import outcomes
from bn_conformance.results.records import Quantity
from bn_reference.arithmetic.channels import channels_first

OVERFLOW, OVERFLOWED = "NUM-4", outcomes.degraded("overflow")
"""The clause about squares that overflow, and the level of a y that did."""


def as_permitted(step: StepContext, quantity: str, record: Quantity, got: Returned) -> Quantity:
    """The record of an output, named where the case's clause permits it although it is wrong.

    Where a square overflows, the variance is infinite: its reciprocal root is 0, so that y is beta, or what is made of
    it is NaN or infinite.
    """
    if step.case.clauses[0] != OVERFLOW or quantity != "y" or record.outcome != outcomes.WRONG or record.message:
        return record  # a message says that there are no numbers of the shape and format of y
    return replace(record, outcome=OVERFLOWED) if _overflowed(step, got) else record


def _overflowed(step: StepContext, got: Returned) -> bool:
    """Whether every y is beta, bit for bit, or is not finite."""
    beta = step.context.data.batches[step.position].beta
    if not isinstance(got, np.ndarray):
        return False
    rows = channels_first(got, step.case.config.channel_axis)
    shift = np.zeros((rows.shape[0], 1)) if beta is None else beta.astype(rows.dtype)[:, None]
    return bool(np.all((rows == shift) | ~np.isfinite(rows)))
