"""Failing cases that end in an error, before there is a number that a deviation could explain."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from bn_conformance.cases.model import Case
from bn_conformance.results.records import Item
from bn_conformance.text import counted, one_line

MOST = 2
"""Errors that are named at most, the most frequent ones."""

LENGTH = 110
"""Characters of an error that are shown."""

CAUSES = {
    "PURE-8": (
        "a step keeps more than numbers of the steps before it, as running statistics do that are stored with the "
        "graph of what computed them: detach them before they are stored (PURE-8)"
    ),
}
"""What is wrong where a case of a clause is among those that end in an error: a cause that has no number to compare."""

_PLACE = re.compile(r" \([^()]*, line \d+\)$")
"""Where an error was raised; it does not tell errors apart."""


def errors_sentence(failing: Sequence[tuple[Item, Case]]) -> str:
    """What the failing cases end in, and its cause where a clause that they break names one.

    Args:
        failing: items that ended in an error, with their cases; at least one.
    """
    errors = Counter(_PLACE.sub("", one_line(item.message)) for item, _ in failing)
    named = [f"{_shortened(text)} ({count})" for text, count in errors.most_common(MOST)]
    more = len(errors) - len(named)
    named += [f"and {counted(more, 'other error')}"] * bool(more)
    broken = {clause for _, case in failing for clause in case.clauses}
    cause = next((f"{text[0].upper()}{text[1:]}. " for clause, text in CAUSES.items() if clause in broken), "")
    count = counted(len(failing), "failing case")
    return f"{cause}{count} left: each ends in an error, before there is a number to compare: {'; '.join(named)}."


def _shortened(text: str) -> str:
    return text if len(text) <= LENGTH else f"{text[: LENGTH - 3].rstrip()}..."
