"""What is asked of an implementation in a case: the case itself, less what it declares that it does not have.

A layer that keeps no running statistics is judged on its results alone. A layer without any gradient is judged on the
forward of the cases that take gradients as well, unless the gradient is what the case is about. A layer that never has
gamma or beta is judged without it in the cases that are about something else. A layer whose gamma and beta are
constants is judged on its other gradients. A layer whose equal calls need not give the same bits runs once what would
run twice, unless the second run is what the case is about.
"""

from __future__ import annotations

from dataclasses import replace

from bn_conformance.adapter import Capabilities, Convention
from bn_conformance.cases.literals import with_own_values
from bn_conformance.cases.model import (
    GRADIENTS,
    PARAMETER_GRADIENTS,
    STATISTICS,
    Batch,
    Case,
    EarlierBackward,
    Second,
    SetParameters,
    Step,
)
from bn_conformance.cases.recipes import DataRecipe

OF_PARAMETERS = ("FWD-3", "FWD-4", "GRAD-2", "GRAD-3", "DTYPE-5", "SECOND-2")
"""Clauses that are about gamma and beta."""

OF_WHAT_IS_SET = ("STATE-6", "STATE-8", "ERR-5", "ERR-6")
"""Clauses about gamma and beta in the cases that set these, and about statistics in others."""

SAME_BITS = "PURE-2"
"""The clause of equal calls: without the second run nothing is left of the cases that it decides."""

NO_WEIGHT = DataRecipe(kind="fill", offset=0.0)
"""The weight of a gradient that has no part in the second order."""

OF_GRADIENTS = ("GRAD", "SECOND")
"""Families of clauses that are about gradients."""


def as_declared(case: Case, can: Capabilities, convention: Convention) -> Case:
    """The case as it is run on an implementation.

    Args:
        case: the case.
        can: the declared capabilities.
        convention: the declared convention, which says the values of literals.
    """
    case = with_own_values(case, can, convention)
    case = _with_own_parameters(case, can)
    if not can.deterministic and case.repeat and case.clauses[0] != SAME_BITS:
        case = replace(case, repeat=False)
    if not can.statistics and case.judges - STATISTICS:
        case = replace(case, judges=case.judges - STATISTICS)
    if not can.parameter_gradients and case.judges - PARAMETER_GRADIENTS and not _weighs_parameters_alone(case):
        case = replace(case, judges=case.judges - PARAMETER_GRADIENTS, steps=_weighing_each(case, False, False))
    if not can.gradients and convention.statistics_move != "backward" and _is_whole_without_gradients(case):
        steps = tuple(replace(step, dy=None, dy_view=None) if isinstance(step, Batch) else step for step in case.steps)
        case = replace(case, judges=case.judges - GRADIENTS, steps=steps)
    return case


def _with_own_parameters(case: Case, can: Capabilities) -> Case:
    """The case without the parameters that no layer has, where it is not about these."""
    gamma = case.config.gamma and bool({"both", "gamma"} & can.affine)
    beta = case.config.beta and bool({"both", "beta"} & can.affine)
    if (gamma, beta) == (case.config.gamma, case.config.beta) or not _is_whole_without_parameters(case):
        return case
    return replace(case, config=replace(case.config, gamma=gamma, beta=beta), steps=_weighing_each(case, gamma, beta))


def _weighing_each(case: Case, gamma: bool, beta: bool) -> tuple[Step, ...]:
    return tuple(_weighing(step, gamma, beta) if isinstance(step, Batch) else step for step in case.steps)


def _weighing(step: Batch, gamma: bool, beta: bool) -> Batch:
    """A step whose second order weighs the gradients that there are, in earlier backwards too."""

    def left(second: Second) -> Second:
        return replace(second, v_dgamma=second.v_dgamma if gamma else None, v_dbeta=second.v_dbeta if beta else None)

    earlier = tuple(
        replace(change, second=left(change.second)) if isinstance(change, EarlierBackward) and change.second else change
        for change in step.between
    )
    return replace(step, second=left(step.second) if step.second else None, between=earlier)


def _weighs_parameters_alone(case: Case) -> bool:
    """Whether the second order of a case is that of dgamma and dbeta alone."""
    return any(batch.second is not None and batch.second.v_dx == NO_WEIGHT for batch in case.batches)


def _is_whole_without_parameters(case: Case) -> bool:
    """Whether a case asks something that has nothing to do with gamma and beta."""
    return (
        case.clauses[0] not in OF_PARAMETERS
        and "affine" not in case.axes
        and bool(case.judges - {"dgamma", "dbeta"} or case.expects == "refusal")
        and not any(isinstance(change, EarlierBackward) for change in case.changes)
        and not (case.clauses[0] in OF_WHAT_IS_SET and SetParameters in map(type, case.changes))
    )


def _is_whole_without_gradients(case: Case) -> bool:
    """Whether a case that takes gradients asks something without them too."""
    takes = [batch for batch in case.batches if batch.dy is not None]
    return (
        bool(takes)
        and not case.clauses[0].startswith(OF_GRADIENTS)
        and bool(case.judges - GRADIENTS)
        and not (case.overwrites or case.concurrent or case.laws)
        and not any(batch.dy_shape or batch.second for batch in takes)
        and not any(isinstance(change, EarlierBackward) for change in case.changes)
    )
