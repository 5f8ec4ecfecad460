"""Grades: classes of algorithms, from best to worst, each with bounds for the errors that it explains (BOUNDS.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass

SAFETY = 4.0
"""C of BOUNDS.md: bounds are evaluated at C times the unit roundoff."""

VACUOUS = 0.1
"""A bound is vacuous in a channel where the relative error of the variance, or h * u, is larger than this."""


@dataclass(frozen=True)
class Grade:
    """A class of algorithms, and what they may do.

    Attributes:
        level: the name, in verdicts, of errors that this grade explains; several grades may share a level.
        raw_moments: the variance may come from E[x^2] - E[x]^2.
        sequential: sums may be one running sum, whose error is at most n * u.
        folded: y may come from y = a x + b, and gradients from its derivative.
        composite: each path from an input to a result may be rounded to the storage format.
        storage_precision: all arithmetic may be in the storage format; sums too, unless `wide_sums` is set.
        wide_sums: sums are accumulated in the format of sound arithmetic.
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
        """The hash of the level, which Python caches: grades are keys of tables that are read for every number."""
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
"""Every grade, best first. An error that no grade explains is `wrong`."""


def path_length(count: int) -> float:
    """h of BOUNDS.md: how many roundings a sum of `count` terms may have in a row. It grows like sqrt(count)."""
    return 1.0 if count <= 1 else min(count - 1.0, 5.0 * math.sqrt(count)) + 1.0
