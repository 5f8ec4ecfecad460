"""Goldens of one batch that were asked for before: cases differ more in what they do with a batch than in batches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from bn_reference.golden.expected import Expected

CAPACITY, FEW = 64, 1 << 12
"""How many answers of one batch are kept, and of how many numbers it may be at most."""


class Answers:
    """What was asked of one batch, and the goldens that were the answer, with all that was computed of them since.

    Args:
        size: how many numbers the batch has. Nothing is kept of a large one.
    """

    def __init__(self, size: int) -> None:
        self._capacity = CAPACITY if size <= FEW else 0
        self._known: OrderedDict[Hashable, dict[str, Expected]] = OrderedDict()

    def of(self, question: Hashable, computed: Callable[[], dict[str, Expected]]) -> dict[str, Expected]:
        """The answer to a question.

        Args:
            question: all that the answer depends on, beside the batch.
            computed: gives the answer.
        """
        if question in self._known:
            self._known.move_to_end(question)
            return self._known[question]
        answer = computed()
        if self._capacity:
            self._known[question] = answer
            if len(self._known) > self._capacity:
                self._known.popitem(last=False)
        return answer
