"""What is asked of an implementation in a case: the case itself, less what it declares that it does not have.

A layer that keeps no running statistics is judged on its results alone. A layer without any gradient is judged on the
forward of the cases that take gradients as well, unless the gradient is what the case is about.
"""

from __future__ import annotations

from dataclasses import replace

from bn_conformance.adapter import Capabilities, Convention
from bn_conformance.cases.literals import with_own_values
from bn_conformance.cases.model import GRADIENTS, STATISTICS, Batch, Case, EarlierBackward

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
    if not can.statistics and case.judges - STATISTICS:
        case = replace(case, judges=case.judges - STATISTICS)
    if not can.gradients and convention.statistics_move != "backward" and _is_whole_without_gradients(case):
        steps = tuple(replace(step, dy=None, dy_view=None) if isinstance(step, Batch) else step for step in case.steps)
        case = replace(case, judges=case.judges - GRADIENTS, steps=steps)
    return case


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
