"""Conditional mutants that may survive, one by one, each with its reason; every other survivor calls for a case.

They are those of the draw that `make power` attacks with. Another draw has others: each of them calls for a case, or
for one more row.
"""

from __future__ import annotations

from dataclasses import dataclass

from bn_conformance.mutation.sampling import Mutant


@dataclass(frozen=True)
class Explanation:
    """Why a conditional mutant may survive.

    Attributes:
        deviation: its name.
        where: the text of its condition.
        reason: why no case has to catch it.
    """

    deviation: str
    where: str
    reason: str

    def covers(self, mutant: Mutant) -> bool:
        """Whether it speaks of a mutant."""
        return (mutant.deviation, mutant.where.text) == (self.deviation, self.where)


_THREE, _RARE = "a triple, of which all pairs are tried: ", "a pair of two rare things: "

EXPLAINED: tuple[Explanation, ...] = (
    Explanation(
        "raw-moments-where-mean-is-large",
        "rank = 4 and memory permuted",
        f"{_THREE}data far from zero, images, permuted memory",
    ),
    Explanation("raw-moments", "format float32 and memory strided", f"{_THREE}data far from zero, float32, strides"),
    Explanation(
        "empty-mask-draws-to-zero",
        "largest value >= 1000",
        f"{_RARE}a mask that hides every value, asked of data of the usual size alone",
    ),
)
"""The survivors that are understood."""


def explanation_of(mutant: Mutant) -> Explanation | None:
    """The explanation of a mutant; None where there is none."""
    return next((entry for entry in EXPLAINED if entry.covers(mutant)), None)
