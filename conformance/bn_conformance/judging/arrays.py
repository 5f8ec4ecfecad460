"""Judges one array: its type, shape and format, and whether its numbers are as good as the case demands."""

from __future__ import annotations

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.cases.model import Case
from bn_conformance.cases.recipes import dtype_of
from bn_conformance.comparison.array import compare, shape_and_dtype_fault
from bn_conformance.hosting.operations import Returned
from bn_conformance.judging.clauses import TYPE
from bn_conformance.judging.context import JudgingContext, StepContext
from bn_conformance.results import outcomes
from bn_conformance.results.records import Quantity
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import TIGHT

LIKE_X = frozenset({"y", "dx", "ds_dx", "ds_ddy", "dx_given"})
"""Quantities that have the shape and format of x; the others are vectors of parameters."""


EXACT_RESULTS, LONG_SUMS = "NUM-6", "NUM-8"
INEXACT = outcomes.degraded("inexact")
"""The clauses about exact results and about long sums, and the level of a result that could be exact, and nearly is."""


def fault(name: str, message: str, clauses: tuple[str, ...]) -> Quantity:
    """The record of something that is wrong without a number that could be compared."""
    return Quantity(name=name, outcome=outcomes.WRONG, clauses=clauses, message=message)


def judge_as_asked(
    case: Case, name: str, expected: Expected, got: Array, channel_axis: int, clauses: tuple[str, ...]
) -> Quantity:
    """Judge the numbers of an array whose shape and format are right.

    A case may demand exact numbers, or numbers at level `tight`; then any worse level is wrong. But an error of the few
    roundings that NUM-7 allows is only named where the case is about NUM-6. In long sums a dropped term is as small.

    Args:
        case: the case.
        name: of the quantity.
        expected: golden rows (or vector) with its bounds.
        got: what the implementation gave.
        channel_axis: axis of the channels in `got`.
        clauses: ids that the quantity is judged under.

    Raises:
        SuiteError: a bound is NaN or negative.
    """
    comparison = compare(name, expected, got, channel_axis, case.nonfinite_alike)
    if case.exact and comparison.level not in (outcomes.EXACT, outcomes.NOT_JUDGED):
        if comparison.level == TIGHT.level and case.clauses[0] == EXACT_RESULTS and LONG_SUMS not in case.clauses:
            return comparison.quantity(clauses, INEXACT)
        return comparison.quantity(clauses, outcomes.WRONG, np.inf)
    if case.tight and comparison.level not in (outcomes.EXACT, TIGHT.level, outcomes.NOT_JUDGED):
        return comparison.quantity(clauses, outcomes.WRONG, comparison.worst.sortable if comparison.worst else None)
    return comparison.quantity(clauses)


def judge_output(
    step: StepContext, place: str, quantity: str, expected: Expected, got: Returned, clauses: tuple[str, ...]
) -> Quantity:
    """Judge an output or a gradient of a step.

    Args:
        step: the step.
        place: how the name of the record begins: `step0`, or `trajectory0`.
        quantity: y or a gradient.
        expected: golden with its bounds.
        got: what came.
        clauses: ids that it is judged under.
    """
    case, config, name = step.case, step.case.config, f"{place}.{quantity}"
    if quantity in LIKE_X:
        return _judge(case, name, expected, got, step.step.shape, config.dtype, config.channel_axis, clauses)
    return _judge(case, name, expected, got, (config.num_channels,), config.parameter_dtype, 0, clauses)


def judge_statistic(
    context: JudgingContext, name: str, expected: Expected, got: Returned, clauses: tuple[str, ...]
) -> Quantity:
    """Judge a vector of running statistics."""
    shape = (context.case.config.num_channels,)
    return _judge(context.case, name, expected, got, shape, context.formats.statistics.name, 0, clauses)


def _judge(
    case: Case,
    name: str,
    expected: Expected,
    got: Returned,
    shape: tuple[int, ...],
    dtype: str,
    channel_axis: int,
    clauses: tuple[str, ...],
) -> Quantity:
    """Judge one array; another type, shape or format than the expected one is a fault."""
    message = shape_and_dtype_fault(name, got, shape, dtype_of(dtype))
    if message or not isinstance(got, np.ndarray):
        return fault(name, message, (*clauses, TYPE))
    return judge_as_asked(case, name, expected, got, channel_axis, clauses)
