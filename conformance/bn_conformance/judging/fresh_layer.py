"""The running statistics of a fresh layer, against those that the convention says it starts with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bn_conformance.cases.recipes import dtype_of
from bn_conformance.hosting.operations import Returned
from bn_conformance.judging.arrays import judge_statistic
from bn_conformance.judging.clauses import INITIAL, judged_clauses
from bn_conformance.judging.context import JudgingContext
from bn_conformance.judging.pairs import NAMES
from bn_conformance.observing.observation import Observation
from bn_conformance.results import outcomes
from bn_conformance.results.records import Quantity
from bn_reference.arithmetic.quad import Quad, to_quad
from bn_reference.bounds.bound import Bound
from bn_reference.definition.state import Statistics
from bn_reference.golden.expected import Expected


def judge_initial(context: JudgingContext, observation: Observation) -> Iterator[Quantity]:
    """A quantity for the initial mean and variance, where the case judges statistics."""
    case = context.case
    if "running_var" not in case.judges or observation.initial is None:
        return
    initial = Statistics.initial(case.config.num_channels, context.convention)
    nothing_allowed = Bound(initial.mean_error, np.ones(initial.mean.shape, np.bool_))
    clauses = judged_clauses(case, INITIAL)
    for name, values, given in zip(NAMES, (initial.mean, initial.variance), observation.initial, strict=True):
        got = _in_format(given, context.formats.statistics.name)
        if _is_exactly(got, values):
            yield _exact(f"initial.{name}", float(values[0]), len(values), clauses)
        else:
            expected = Expected(values, lambda grade: nothing_allowed)
            yield judge_statistic(context, f"initial.{name}", expected, got, clauses)


def _exact(name: str, value: float, channels: int, clauses: tuple[str, ...]) -> Quantity:
    """The record of a vector that is what it should be, bit for bit."""
    return Quantity(
        name=name,
        outcome=outcomes.EXACT,
        clauses=clauses,
        error=0.0,
        bound=0.0,
        ratio=0.0,
        ulp=0.0,
        index=(0,),
        expected=value,
        got=value,
        judged=channels,
        total=channels,
    )


def _is_exactly(got: Returned, values: Quad) -> bool:
    """Whether a vector holds just these values; the usual case, which needs no comparison."""
    return isinstance(got, np.ndarray) and got.shape == values.shape != (0,) and bool(np.all(to_quad(got) == values))


def _in_format(got: Returned, dtype: str) -> Returned:
    """A fresh layer's vector in the format of its statistics: its 0 and 1 are exact in any format."""
    return got.astype(dtype_of(dtype)) if isinstance(got, np.ndarray) else got
