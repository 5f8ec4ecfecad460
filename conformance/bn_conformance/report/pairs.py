"""The conventions of a run as compact data inside the page, which its script sets side by side, two at a time.

The effect of a difference depends on the two conventions alone. Many implementations share one, so the effects are
computed once for every two conventions that occur.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import permutations
from typing import Any

from bn_conformance import text
from bn_conformance.conventions.effects import Effect, convention_effects
from bn_conformance.report.summary import ImplementationSummary
from bn_reference.specification.convention import CHOICES


def pair_data(implementations: list[ImplementationSummary], index: Callable[[str], int]) -> dict[str, Any]:
    """Conventions and the effects of their differences.

    Args:
        implementations: in the order in which the page's data name them.
        index: gives the place of a text in the page's table of texts.

    Returns:
        `of`: per implementation, the place of its convention; None where it declares none. `conventions`: each with
        its choices as texts: name, value, meaning. `effects`: by `a-b`, the places of two conventions, what each choice
        of b does that a does not make: choice, sentence, quantity, and the course as (steps, a, b).
    """
    conventions: dict[str, Mapping[str, Any]] = {}
    of: list[int | None] = []
    for one in implementations:
        declared = one.environment.convention
        key = json.dumps(declared, sort_keys=True)
        if declared:
            conventions.setdefault(key, declared)
        of.append(list(conventions).index(key) if declared else None)
    numbered = list(enumerate(conventions.values()))
    return {
        "of": of,
        "conventions": [
            [
                [index(_words(name)), index(text.plain(value)), index(_meaning(name, value))]
                for name, value in one.items()
            ]
            for _, one in numbered
        ],
        "effects": {
            f"{a}-{b}": [_effect(effect, index) for effect in convention_effects(first, second)]
            for (a, first), (b, second) in permutations(numbered, 2)
        },
    }


def _effect(effect: Effect, index: Callable[[str], int]) -> list[Any]:
    course = [[steps, text.number(own, 5), text.number(other, 5)] for steps, own, other in effect.points]
    return [index(_words(effect.choice)), index(effect.sentence), index(effect.quantity), course]


def _told(choice: str, value: Any) -> tuple[str, str, str]:
    return _words(choice), text.plain(value), _meaning(choice, value)


def _words(choice: str) -> str:
    return choice.replace("_", " ")


def _meaning(choice: str, value: Any) -> str:
    """What the specification says of a value; empty of one that it does not know."""
    try:
        known = CHOICES.get(choice, {}).get(value)
    except TypeError:  # a value that no convention can have, such as a list
        return ""
    return known.meaning if known else ""
