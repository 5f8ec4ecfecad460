"""Detection power: which cases catch each mutant, by how much, and which mutants survive. The suite must have none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.selection import SelectionError, select_cases
from bn_conformance.mutation.catch import Catch, family_of, is_grave
from bn_conformance.mutation.mutant import ALL_CAPABILITIES
from bn_reference.deviations import Deviation


def judged_cases(patterns: Iterable[str] = ()) -> list[str]:
    """Ids of the cases that power is measured on: all that the plain layer supports, except large ones.

    Raises:
        SelectionError: a pattern matches nothing, or all of them match large cases alone.
    """
    known = all_cases()
    selected = [case for case in select_cases((), tuple(patterns)) if case in known]
    if not selected:
        raise SelectionError("power is not measured on large cases; name others")
    return [case for case in selected if not unsupported_reason(known[case], ALL_CAPABILITIES)]


@dataclass(frozen=True)
class Power:
    """The result of a measurement.

    Attributes:
        deviations: those that were tried, by name.
        catches: of each, the cases that catch it in the order of the cases. In each family they end with the first
            clear catch: the family's other cases are left out.
        cases: how many cases there were.
        is_whole: whether every family was asked; else the search for a deviation ended with its first catch.
    """

    deviations: Mapping[str, Deviation]
    catches: Mapping[str, tuple[Catch, ...]]
    cases: int
    is_whole: bool = True

    @cached_property
    def surviving(self) -> list[str]:
        """Mutants that nothing catches; where a MUST clause is violated, a warning is not enough."""
        return [name for name in self.catches if not self._grave(name)]

    @property
    def fragile(self) -> list[str]:
        """Mutants that are caught, but nowhere clearly."""
        return [
            name
            for name in self.catches
            if self._grave(name) and not any(catch.is_clear for catch in self._grave(name))
        ]

    @property
    def caught(self) -> int:
        """How many mutants are caught; over all of them, this is the mutation score."""
        return len(self.deviations) - len(self.surviving)

    def first(self, name: str) -> Catch | None:
        """The first case that catches a mutant clearly, else the first that catches it at all."""
        catches = self._grave(name)
        return next((catch for catch in catches if catch.is_clear), catches[0] if catches else None)

    def by_family(self, name: str) -> dict[str, float]:
        """The largest ratio by which cases of each family catch a mutant."""
        ratios: dict[str, float] = {}
        for catch in self._grave(name):
            family = family_of(catch.case)
            ratios[family] = max(ratios.get(family, 0.0), catch.ratio)
        return ratios

    def _grave(self, name: str) -> list[Catch]:
        return [catch for catch in self.catches[name] if is_grave(self.deviations[name], catch)]
