"""Candidates of a search: deviations that explain something, with what speaks for and against them."""

from __future__ import annotations

from dataclasses import dataclass, field

from bn_conformance.diagnosis.examined import Examined
from bn_reference.deviations import Deviation

Deviations = tuple[Deviation, ...]


@dataclass(frozen=True)
class Found:
    """Deviations that were found together, mostly one.

    Attributes:
        deviations: one, or two that explain a case only together.
        witnesses: passing cases that agree with them, of those in which they act.
        contradictions: passing cases that contradict them; few, and none unless very much speaks for them.
        alike: names of other deviations that no case tells from them.
        explained: the examined cases of which they explain something.
    """

    deviations: Deviations
    witnesses: int
    contradictions: int = 0
    alike: tuple[str, ...] = ()
    explained: tuple[Examined, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the deviations."""
        return tuple(deviation.name for deviation in self.deviations)


@dataclass
class RankedDeviations:
    """Deviations that explain something of a case.

    Attributes:
        deviations: the deviations.
        gained: the examined cases of which they explain something beside those that were found before.
        whole: how many of these they explain wholly.
        misses: failing cases that nobody examined and that they would pass.
        witnesses: passing cases that agree with them.
        contradictions: passing cases that do not.
    """

    deviations: Deviations
    gained: list[Examined] = field(default_factory=list)
    whole: int = 0
    misses: int = 0
    witnesses: int = 0
    contradictions: int = 0

    @property
    def declarable(self) -> bool:
        """Whether an implementation could declare all of it, each by one choice: two at once are less likely."""
        return all(len(deviation.convention) == 1 for deviation in self.deviations)

    @property
    def rank(self) -> tuple[int, int]:
        """How much it explains."""
        return self.whole, len(self.gained)

    @property
    def standing(self) -> tuple[int, int, tuple[int, int]]:
        """What speaks against it, and how much it explains: alike for candidates that nothing tells apart."""
        return self.contradictions, self.misses, self.rank


ACCUMULATION = "accumulation"
"""The group of deviations that add up in another way: each is right but for rounding."""


def rounds(deviation: Deviation) -> bool:
    """Whether the errors of a deviation are those of rounding: no two implementations of it come near each other."""
    return bool(deviation.level) or deviation.group == ACCUMULATION


def names_of(deviations: Deviations) -> tuple[str, ...]:
    """Names of deviations."""
    return tuple(deviation.name for deviation in deviations)
