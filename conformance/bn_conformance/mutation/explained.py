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


THREE = "All pairs of a feature and a condition are tried, not all triples: "

EXPLAINED: tuple[Explanation, ...] = (
    Explanation("*", "* and *", f"{THREE}these are two conditions beside the feature."),
    *(
        Explanation(deviation, "*", f"{THREE}the deviation acts on {special} alone, and the condition is a third.")
        for deviation, special in (
            ("*-beyond-*", "long channels"),
            ("count-in-*", "long channels"),
            ("*-where-*", "some data"),
            ("*-without-affine", "layers without gamma and beta"),
            ("raw-moments*", "data far from zero"),
            ("constant-*", "constant channels"),
            ("cumulative-*", "cumulative averages"),
            ("statistics-in-*", "statistics that are wider than x"),
            ("gamma-merged-*", "parameters that are the statistics, bit for bit"),
        )
    ),
)
"""The kinds of survivors that are understood. What is no such triple calls for a case."""


def explanation_of(mutant: Mutant) -> Explanation | None:
    """The first explanation that speaks of a mutant; None where none does."""
    return next((entry for entry in EXPLAINED if entry.covers(mutant)), None)
