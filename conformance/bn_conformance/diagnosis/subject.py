"""What is diagnosed: an implementation after its run, which can be asked to run a case once more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bn_conformance.adapter import Capabilities, Convention
from bn_conformance.cases.model import Case
from bn_conformance.judging.item import Runs
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Item
from bn_reference.deviations import Deviation, catalogue

OF_A_CAPABILITY = {
    "MASK": "masks",
    "SECOND": "second_order",
    "SAVED": "saved_statistics",
    "SYNC": "shards",
    "JIT": "original",
}
"""Families of clauses that are about something that an implementation declares, or does not."""


@dataclass(frozen=True)
class JudgedImplementation:
    """One implementation and what its run gave.

    Attributes:
        name: of the implementation.
        convention: what it declares.
        capabilities: what it declares that it can do.
        items: of its run.
        cases: those of its items, by id, as they were run.
        observe: runs a case on it, perhaps once more; None where it can no longer be run.
        unasked: cases that its declaration covers and that it was not asked.
        taken: those of some cases whose configurations it does not decline.
    """

    name: str
    convention: Convention
    capabilities: Capabilities
    items: Sequence[Item]
    cases: Mapping[str, Case]
    observe: Callable[[Case], Runs | None] = field(repr=False)
    unasked: Sequence[Case] = ()
    taken: Callable[[Sequence[Case]], Sequence[Case]] = field(default=list, repr=False)

    def with_verdict(self, *verdicts: ItemVerdict) -> list[Item]:
        """The items of some verdicts whose cases are known and not large."""
        return [
            item
            for item in self.items
            if item.verdict in verdicts and item.case in self.cases and not self.cases[item.case].large
        ]


def deviations_for(convention: Convention, capabilities: Capabilities) -> list[Deviation]:
    """The deviations of the catalogue that concern something that an implementation declares."""
    return [entry for entry in catalogue().values() if entry.under(convention) and _concerns(entry, capabilities)]


def _concerns(deviation: Deviation, capabilities: Capabilities) -> bool:
    capability = OF_A_CAPABILITY.get(deviation.clause.partition("-")[0])
    return capability is None or bool(getattr(capabilities, capability))


class Budget:
    """How much may still be computed, in the units of `bn_conformance.diagnosis.examined.work`.

    It counts steps that are computed, not seconds: a diagnosis says the same on a slow machine as on a fast one.

    Attributes:
        left: of it.
    """

    def __init__(self, steps: float) -> None:
        self.left = steps

    def spend(self, steps: float) -> None:
        """Take off what was computed."""
        self.left -= steps

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return self.left <= 0

    def allows(self, steps: float) -> bool:
        """Whether so much may still be computed."""
        return steps <= self.left
