"""Diagnoses an implementation after its run: which deviations explain what fails, and what remains.

A diagnosis is made from the items of a run and from a few failing cases, which are run once more. First the ordinary
cases are explained (`bn_conformance.diagnosis.search`), then those at each of the usual edges. What nothing explains is
described: an edge in a sentence, the rest by what its cases share. Nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bn_conformance.diagnosis.candidates import Found
from bn_conformance.diagnosis.dx_terms import terms_sentence
from bn_conformance.diagnosis.edges import EDGES, Edge, edge_of
from bn_conformance.diagnosis.examined import Examined, examined, failing_in_order, is_examinable, work
from bn_conformance.diagnosis.predictions import Predictions
from bn_conformance.diagnosis.search import Search
from bn_conformance.diagnosis.subject import Budget, JudgedImplementation
from bn_conformance.diagnosis.tuning import TUNING
from bn_conformance.diagnosis.wording import Explained, message
from bn_conformance.judging.goldens import Goldens
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Diagnosis, Item


def diagnose(
    subject: JudgedImplementation,
    goldens: Goldens | None = None,
    predictions: Predictions | None = None,
    budget: float = TUNING.budget,
) -> Diagnosis | None:
    """The diagnosis of one implementation; None where no failing case can be examined.

    Args:
        subject: the implementation and its run.
        goldens: that the run has computed; None for fresh ones.
        predictions: under its convention, where an earlier diagnosis has made some.
        budget: what it may compute, in the units of `examined.work`.

    Raises:
        HostLost: the process of the implementation is gone.
    """
    failing = [item for item in subject.with_verdict(ItemVerdict.FAIL) if is_examinable(subject.cases[item.case])]
    if not failing:
        return None
    with np.errstate(all="ignore"):
        return _Diagnosing(subject, goldens or Goldens(), predictions, Budget(budget)).diagnosis(failing)


class _Diagnosing:
    """One diagnosis on its way."""

    def __init__(
        self, subject: JudgedImplementation, goldens: Goldens, predictions: Predictions | None, budget: Budget
    ) -> None:
        self._subject, self._goldens, self._budget = subject, goldens, budget
        predictions = predictions or Predictions(subject.convention, subject.capabilities, goldens)
        self._search = Search(subject, predictions, budget)
        self._examined: list[Examined] = []

    def diagnosis(self, failing: Sequence[Item]) -> Diagnosis | None:
        ordinary = [item for item in failing if edge_of(self._subject.cases[item.case]) is None]
        self._explain(ordinary, TUNING.cases_in_all, all_alike=False)
        for edge in EDGES:
            self._explain(self._at(edge, failing), TUNING.cases_of_an_edge, all_alike=True)
        if not self._examined:
            return None
        explained = self._results(failing)
        names = tuple(name for found in explained.found for name in found.names)
        return Diagnosis(
            implementation=self._subject.name,
            deviations=names,
            message=message(self._subject, explained),
            confident=bool(names) and not explained.rest and all(_is_sure(found) for found in explained.found),
            examined=len(self._examined),
        )

    def _at(self, edge: Edge, items: Sequence[Item]) -> list[Item]:
        return [item for item in items if edge_of(self._subject.cases[item.case]) is edge]

    def _explain(self, items: Sequence[Item], most: int, all_alike: bool) -> None:
        """Examine some of the items and look for what explains them."""
        new: list[Examined] = []
        for item in failing_in_order(self._subject, items):
            if len(new) >= most or (new and self._budget.spent):
                break
            self._budget.spend(work(self._subject.cases[item.case]))
            one = examined(self._subject, item, self._goldens)
            new += [one] if one is not None else []
        self._examined += new
        self._search.explain(new, all_alike)

    def _is_rest(self, case: Examined) -> bool:
        return bool(edge_of(case.case) is None and self._search.left(case))

    def _results(self, failing: Sequence[Item]) -> Explained:
        """What was found, and which items are left."""
        unexplained = {case.item.case for case in self._examined if self._search.left(case)}
        seen = {case.item.case for case in self._examined}
        edges = {edge: self._at(edge, failing) for edge in EDGES}
        ordinary = [item for item in failing if edge_of(self._subject.cases[item.case]) is None]
        found = [
            replace(one, explained=self._search.explained_by(one, self._examined) or one.explained)
            for one in self._search.found
        ]
        return Explained(
            found=tuple(sorted(found, key=lambda one: -len(one.explained))),
            examined=tuple(self._examined),
            failing=len(failing),
            rest=tuple(item for item in ordinary if item.case in unexplained),
            terms=terms_sentence(case.matcher.failing for case in self._examined if self._is_rest(case)),
            unseen=tuple(item for item in ordinary if item.case not in seen),
            edges={edge: items for edge, items in edges.items() if any(item.case in unexplained for item in items)},
            stopped=self._budget.spent,
            at_edges_alone=not ordinary and len(failing) == len(self._subject.with_verdict(ItemVerdict.FAIL)),
        )


def _is_sure(found: Found) -> bool:
    return not found.contradictions and found.witnesses >= TUNING.witnesses_for_confidence
