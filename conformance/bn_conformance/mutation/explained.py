"""Conditional mutants that may survive, each kind with its reason; every other survivor calls for a case."""

from __future__ import annotations

from dataclasses import dataclass

from bn_conformance.implementations.implementation import matches_pattern
from bn_conformance.mutation.sampling import Mutant


@dataclass(frozen=True)
class Explanation:
    """Why a kind of conditional mutants may survive.

    Attributes:
        deviation: a pattern of names of deviations.
        where: a pattern of the texts of conditions.
        reason: why no case has to catch them.
    """

    deviation: str
    where: str
    reason: str

    def covers(self, mutant: Mutant) -> bool:
        """Whether it speaks of a mutant."""
        return matches_pattern(mutant.deviation, self.deviation) and matches_pattern(mutant.where.text, self.where)


EXPLAINED: tuple[Explanation, ...] = ()
"""The kinds of survivors that are understood."""


def explanation_of(mutant: Mutant) -> Explanation | None:
    """The first explanation that speaks of a mutant; None where none does."""
    return next((entry for entry in EXPLAINED if entry.covers(mutant)), None)
