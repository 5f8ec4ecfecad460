"""Residuals: what a mutant leaves unexplained of an observation, each with its kind."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from bn_conformance.diagnosis.tuning import TUNING


class Kind(Enum):
    """What is left unexplained."""

    NOTHING = "nothing is left"
    NUMBER_TOO_FAR = "a number is farther off than its bound"
    NOT_NEARER = "the mutant is no nearer than the reference layer, where bounds do not tell"
    OTHER_FAULT = "a fault that is no number, such as a modified input, shows in one of the two alone"
    RAISED_DIFFERENTLY = "one raises an error that the other does not raise, or in another step"
    NOT_COMPARABLE = "there are no numbers to compare"


@dataclass(frozen=True)
class Residual:
    """One thing that is left unexplained.

    Attributes:
        kind: what it is.
        factor: for `NUMBER_TOO_FAR` the error over its bound; for `NOT_NEARER` the distance of the mutant over that of
            the reference layer.
        name: of the quantity; for a kind that is about no single quantity, what is left in a word.
    """

    kind: Kind
    factor: float = 1.0
    name: str = ""

    @property
    def weight(self) -> float:
        """How much it counts when deviations are ranked: 0 for nothing, and less where the mutant comes nearer."""
        match self.kind:
            case Kind.NOTHING:
                return 0.0
            case Kind.NUMBER_TOO_FAR:
                return 1.0 + math.log10(min(max(self.factor, 1.0), TUNING.most_factor))
            case Kind.NOT_NEARER:
                return 1.0 + min(self.factor, TUNING.weight_without_numbers)
            case Kind.OTHER_FAULT:
                return 1.0
            case Kind.RAISED_DIFFERENTLY | Kind.NOT_COMPARABLE:
                return TUNING.weight_without_numbers

    def differs_from(self, other: Residual) -> bool:
        """Whether the weights differ noticeably."""
        return abs(self.weight - other.weight) > TUNING.noticeable_difference


NOTHING = Residual(Kind.NOTHING)
"""The mutant explains the observation."""
