"""Mistakes that people really make, each a small change of the right implementation, and what must catch it."""

from tests.support.mistakes import (
    axes,
    bad_input,
    between_calls,
    crossings,
    forward,
    gradients,
    inference,
    masked_calls,
    memory,
    nonsense,
    options,
    purity,
    statistics,
    stored,
)
from tests.support.mistakes.mistake import MISTAKES, Mistake

__all__ = [
    "MISTAKES",
    "Mistake",
    "axes",
    "bad_input",
    "between_calls",
    "crossings",
    "forward",
    "gradients",
    "inference",
    "masked_calls",
    "memory",
    "nonsense",
    "options",
    "purity",
    "statistics",
    "stored",
]
