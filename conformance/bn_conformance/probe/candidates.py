"""Which candidates explain an observation: those whose prediction in binary128 lies within its derived bound."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from bn_conformance.adapter import Array
from bn_conformance.comparison.array import judge
from bn_conformance.results.outcomes import NOT_JUDGED, WRONG
from bn_reference.golden.expected import Expected

K = TypeVar("K", bound=Hashable)


def misfit(expected: Expected, got: Array, channel_axis: int = 0) -> float:
    """Error over what the most lenient grade allows: at most 1 where the prediction explains the observation."""
    quantity = judge("probe", expected, got, channel_axis, ())
    if quantity.outcome == NOT_JUDGED:
        return np.inf
    if quantity.outcome != WRONG:
        return min(quantity.ratio or 0.0, 1.0)
    return float(np.inf) if quantity.excess is None else max(quantity.excess, 1.0 + 1e-9)


@dataclass(frozen=True)
class Fits(Generic[K]):
    """How well candidates fit an observation.

    Attributes:
        misfits: error over allowed error, by candidate.
    """

    misfits: Mapping[K, float]

    @property
    def fitting(self) -> list[K]:
        """Candidates that explain the observation."""
        return [candidate for candidate, value in self.misfits.items() if value <= 1.0]

    @property
    def numbers(self) -> str:
        """Every candidate with its error over what is allowed."""
        return "error / allowed: " + ", ".join(
            f"{candidate_text(key)} {value:.2g}" for key, value in self.misfits.items()
        )


def candidate_text(candidate: Any) -> str:
    """A candidate as text."""
    if isinstance(candidate, tuple):
        return " ".join(map(candidate_text, candidate))
    return f"{candidate:.17g}" if isinstance(candidate, float) else str(candidate)


def fit(predictions: Mapping[K, Sequence[tuple[Expected, Array]]], channel_axis: int = 0) -> Fits[K]:
    """How well each candidate fits; of its predictions, the one that fits worst counts.

    Args:
        predictions: of each candidate, pairs of a prediction and what was observed.
        channel_axis: of the observed arrays.
    """
    return Fits(
        {
            candidate: max(misfit(expected, got, channel_axis) for expected, got in pairs)
            for candidate, pairs in predictions.items()
        }
    )


def distinct_values(fitting: Sequence[tuple[Any, ...]], place: int) -> list[Any]:
    """The distinct values that fitting candidates have for one of their fields."""
    return list(dict.fromkeys(candidate[place] for candidate in fitting))
