"""What a case is drawn from: choices, integers and seeds, of which the first and the lowest are the simplest."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

Draw = Any
"""What Hypothesis hands to a composite strategy."""

integers = cache(st.integers)
"""Integers from one number to another; strategies are kept, since making one takes longer than drawing from it."""


@cache
def choice(options: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """One of some options, the first being the simplest."""
    return st.sampled_from(options)


class Source:
    """What a case is drawn from. One seed is drawn, and the seeds of all its recipes are made from that."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self._seed: int = 64 * draw(integers(0, 2**16))

    def pick(self, *options: Any) -> Any:
        """One of some options; shrinks to the first."""
        return self.draw(choice(options))

    def number(self, low: int, high: int) -> int:
        """An integer; shrinks to the lowest."""
        return int(self.draw(integers(low, high)))

    def one_in(self, count: int) -> bool:
        """True about once in so many draws; shrinks to False."""
        return self.number(0, count - 1) == count - 1

    def seed(self) -> int:
        """A seed of its own for a recipe."""
        self._seed += 1
        return self._seed
