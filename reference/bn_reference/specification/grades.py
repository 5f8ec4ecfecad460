"""The grades that an error can have, from best to worst, each named by the algorithm that explains it (BOUNDS.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass

SAFETY = 4.0
"""C of BOUNDS.md: bounds are evaluated at C times the unit roundoff."""

VACUOUS = 0.1
"""A grade exists for a channel only where its relative variance error and its h * u are at most this."""


@dataclass(frozen=True)
class Grade:
    """A class of algorithms and what it may do.

    Attributes:
        level: what a verdict says of an error that this grade explains; several grades may share a level.
        raw_moments: the variance may come from E[x^2] - E[x]^2.
        sequential: sums may be one running sum, whose error is at most n * u.
        folded: y may come from y = a x + b, and gradients from its derivative.
        composite: each path may be rounded to the storage format.
        storage_precision: all arithmetic may be in the storage format; sums too, unless `wide_sums`.
        wide_sums: sums are accumulated in the wider format even so.
        safety: C of this grade.
    """

    level: str
    raw_moments: bool = False
    sequential: bool = False
    folded: bool = False
    composite: bool = False
    storage_precision: bool = False
    wide_sums: bool = False
    safety: float = SAFETY

    def __hash__(self) -> int:
        """That of the level, which is kept: grades are keys of what is looked up for every number that is judged."""
        return hash(self.level)


TIGHT = Grade("tight")
STABLE = Grade("stable", folded=True, composite=True)
DEGRADED = (
    Grade("degraded(raw-moments)", folded=True, composite=True, raw_moments=True),
    Grade("degraded(storage-precision)", folded=True, storage_precision=True, wide_sums=True, safety=1),
    Grade("degraded(sequential-sum)", folded=True, composite=True, sequential=True),
    Grade("degraded(storage-precision)", folded=True, storage_precision=True, safety=1),
)
GRADES = (TIGHT, STABLE, *DEGRADED)
"""Every grade, best first; what none of them explains is `wrong`."""


def path_length(count: int) -> float:
    """h: the longest path of additions allowed for a sum of `count` terms; growth like sqrt(count) is required."""
    return 1.0 if count <= 1 else min(count - 1.0, 5.0 * math.sqrt(count)) + 1.0
