"""Which failing cases are examined: small ones first, of each symptom some."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from math import prod
from typing import TypeVar

from bn_conformance.cases.model import STATISTICS, Case
from bn_conformance.cases.steps import type_of
from bn_conformance.diagnosis.match import Matcher
from bn_conformance.diagnosis.subject import JudgedImplementation
from bn_conformance.diagnosis.tuning import TUNING
from bn_conformance.judging.goldens import Goldens
from bn_conformance.results import outcomes
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Item

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Examined:
    """A failing case that was run once more, to be compared with mutants.

    Attributes:
        item: its record.
        case: as it was run.
        matcher: compares it.
    """

    item: Item
    case: Case
    matcher: Matcher


def effort(case: Case) -> int:
    """What a run of a case costs, about: its numbers, and some more for every step."""
    return sum(prod(batch.shape) + TUNING.numbers_of_a_step for batch in case.batches)


def work(case: Case) -> float:
    """What comparing a mutant with a case costs, about, in steps of a small case: the unit of a `Budget`."""
    return len(case.batches) + sum(prod(batch.shape) for batch in case.batches) / TUNING.numbers_of_work


def symptom(item: Item, case: Case) -> tuple[str, ...]:
    """What an item shows: the family of the case and which of its quantities are wrong."""
    wrong = {
        quantity.name.rpartition(".")[2]
        for quantity in item.quantities
        if outcomes.outcome_rank(quantity.outcome) > outcomes.outcome_rank(outcomes.NOT_JUDGED)
    }
    return case.family, item.outcome if not wrong else "", *sorted(wrong)


def is_examinable(case: Case) -> bool:
    """Whether mutants can be compared with a case that fails."""
    return not (case.laws or case.large) and len(case.steps) <= TUNING.steps_per_case


def _comparable(case: Case) -> Case:
    """A case without its running statistics where they are set within a step, which hides those that it moves to."""
    hides = any(type_of(change).replaces_statistics for batch in case.batches for change in batch.between)
    return replace(case, judges=case.judges - STATISTICS) if hides else case


def failing_in_order(subject: JudgedImplementation, items: Sequence[Item]) -> list[Item]:
    """Failing items in the order in which they are examined: the most frequent symptoms first, of each the smallest."""
    groups: dict[tuple[str, ...], list[Item]] = {}
    for item in items:
        case = subject.cases[item.case]
        if item.verdict == ItemVerdict.FAIL.value and is_examinable(case):
            groups.setdefault(symptom(item, case), []).append(item)
    for group in groups.values():
        group.sort(key=lambda item: effort(subject.cases[item.case]))
    return list(in_turn(sorted(groups.values(), key=len, reverse=True)))


def in_turn(groups: Iterable[Sequence[_T]]) -> Iterator[_T]:
    """The first of each group, then the second of each, and so on."""
    missing = object()
    for turn in zip_longest(*groups, fillvalue=missing):
        yield from (entry for entry in turn if entry is not missing)  # type: ignore[misc]


def examined(subject: JudgedImplementation, item: Item, goldens: Goldens) -> Examined | None:
    """A failing item, run once more; None where it cannot be run, or no longer fails.

    Nor is an item examined that refuses in a later step: mutants do not refuse there, and what is wrong with the
    numbers before it shows in other cases.
    """
    case = subject.cases[item.case]
    runs = subject.observe(case)
    if runs is None or (runs[0].error is not None and item.quantities):
        return None
    matcher = Matcher.of(_comparable(case), *runs, subject.convention, goldens)
    return Examined(item, case, matcher) if matcher.left_by_reference else None
