"""What turns an outcome into a verdict in a run: the level that is asked for, the clauses, and the known faults."""

from __future__ import annotations

from dataclasses import replace

from bn_conformance.cases.model import Case
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.implementations.known_faults import KnownFault, applying, covering
from bn_conformance.judging.item import Policy
from bn_conformance.matrix.plan import Plan
from bn_conformance.results.outcomes import ItemVerdict, Threshold
from bn_conformance.results.records import Item
from bn_reference.specification.clauses import clauses


class Rules:
    """The rules of a plan.

    Attributes:
        policy: what decides a verdict, given an outcome.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.policy = Policy(
            Threshold(plan.options.level), {clause.id: clause.requirement for clause in clauses().values()}
        )
        self._faults: dict[str, list[KnownFault]] = {}

    def known(self, implementation: Implementation, case: Case) -> KnownFault | None:
        """The known fault that covers a case of an implementation."""
        if implementation.name not in self._faults:
            self._faults[implementation.name] = applying(self._plan.faults, implementation)
        return covering(self._faults[implementation.name], case)

    def excused(self, item: Item, implementation: Implementation, case: Case) -> Item:
        """The item with the known fault that excuses it, where it fails and there is one; a newer case only warns."""
        if item.verdict != ItemVerdict.FAIL.value:
            return item
        fault = self.known(implementation, case)
        if fault is not None:
            return replace(item, verdict=ItemVerdict.KNOWN.value, known_fault=fault.title)
        return replace(item, verdict=ItemVerdict.WARN.value) if case.id in self._plan.newer else item
