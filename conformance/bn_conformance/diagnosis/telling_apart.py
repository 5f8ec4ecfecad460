"""Tells deviations apart that explain the same of what was asked, by asking the implementation a few cases more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bn_conformance.cases.model import Case
from bn_conformance.diagnosis.candidates import Deviations, RankedDeviations, rounds
from bn_conformance.diagnosis.examined import effort, is_examinable, work
from bn_conformance.diagnosis.predictions import Predictions
from bn_conformance.diagnosis.subject import Budget, JudgedImplementation
from bn_conformance.diagnosis.tuning import TUNING
from bn_conformance.judging.item import Runs


def told_by_more_cases(
    tied: Sequence[RankedDeviations],
    known: Deviations,
    subject: JudgedImplementation,
    predictions: Predictions,
    budget: Budget,
) -> list[RankedDeviations]:
    """The candidates that agree with what the implementation does in cases on which they disagree.

    Args:
        tied: candidates that nothing tells apart.
        known: deviations that were found before, which act as well.
        subject: what is diagnosed.
        predictions: of verdicts under its convention.
        budget: of what is computed.
    """
    left = list(tied)
    if len(left) < 2 or any(rounds(deviation) for one in tied for deviation in one.deviations):
        return left  # one more case would tell what rounds apart by the luck of its digits
    for case in _cases_about(tied, subject):
        if len(left) < 2 or budget.spent:
            break
        budget.spend(len(left) * work(case))
        caught = [predictions.catches((*known, *one.deviations), case) for one in left]
        if len({*caught}) < 2:
            continue
        runs = subject.observe(case)
        if runs is None:
            break  # its process was lost: it is not asked again and again
        if runs[0].error is not None:
            continue
        left = _agreeing(left, caught, known, predictions, case, runs) or left
    return left


def _agreeing(
    tied: Sequence[RankedDeviations],
    caught: Sequence[bool],
    known: Deviations,
    predictions: Predictions,
    case: Case,
    runs: Runs,
) -> list[RankedDeviations]:
    """The candidates that a case does not catch where it passes, or that explain all of it where it fails.

    It may fail by another mistake that nobody has found: then none explains it.
    """
    if not predictions.fails_clearly(runs, case):
        return [one for one, catch in zip(tied, caught, strict=True) if not catch]
    matcher = predictions.matcher(runs, case)
    return [one for one in tied if matcher.explains_with_allowance((*known, *one.deviations))]


def _cases_about(tied: Sequence[RankedDeviations], subject: JudgedImplementation) -> Iterator[Case]:
    """Some cases that were not asked, of the clauses that are broken, small ones first."""
    clauses = {deviation.clause for one in tied for deviation in one.deviations}
    clauses |= {clause for one in tied for case in one.gained for clause in case.case.clauses}
    about = (case for case in subject.unasked if is_examinable(case) and clauses & {*case.clauses})
    yield from subject.taken(sorted(about, key=effort)[: TUNING.cases_more])
