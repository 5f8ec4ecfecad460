"""A sequence that is computed as far as it is asked for, and only once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """Can be iterated over again and again.

    Args:
        source: computes the entries.
    """

    def __init__(self, source: Iterator[T]) -> None:
        self._source, self._known = source, list[T]()

    def __iter__(self) -> Iterator[T]:
        """The entries, those that are known first."""
        place = 0
        while True:
            if place == len(self._known):
                entry = next(self._source, None)
                if entry is None:
                    return
                self._known.append(entry)
            yield self._known[place]
            place += 1
