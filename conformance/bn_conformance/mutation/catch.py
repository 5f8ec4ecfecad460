"""Catches: a case that notices a mutant, and by how much."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bn_conformance.results import outcomes
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Item, Quantity
from bn_reference.deviations import Deviation
from bn_reference.specification.clauses import clauses

ROBUST = 3.0
"""Ratio from which a mutant is caught clearly, and not by a hair."""

MUST = "MUST"


@dataclass(frozen=True)
class Catch:
    """A case that catches a mutant.

    Attributes:
        deviation: its name.
        case: id of the case.
        ratio: error over what the grade allows that comes nearest to explaining it; infinite where no number is wrong
            but something else is (an input that was modified, for example).
        fails: whether the run fails; a breach of a SHOULD clause only warns.
    """

    deviation: str
    case: str
    ratio: float
    fails: bool

    @property
    def is_clear(self) -> bool:
        """Whether the ratio leaves no doubt."""
        return self.ratio > ROBUST


def is_caught(item: Item) -> bool:
    """Whether an item says that something is wrong: it fails, or breaks a SHOULD clause."""
    if item.verdict == ItemVerdict.FAIL.value:
        return True
    wrong = outcomes.outcome_rank(item.outcome) >= outcomes.outcome_rank(outcomes.WRONG)
    return item.verdict == ItemVerdict.WARN.value and wrong


def worst_wrong_ratio(item: Item) -> float:
    """The largest ratio among the wrong quantities of an item; infinite where one of them is no number."""
    wrong = [quantity for quantity in item.quantities if quantity.outcome == item.outcome]
    return max(map(wrong_ratio, wrong), default=math.inf)


def wrong_ratio(quantity: Quantity) -> float:
    """How wrong a wrong quantity is; infinite where it is no number."""
    if quantity.excess is None:
        return math.inf if quantity.ratio is None else quantity.ratio
    return quantity.excess


def is_grave(deviation: Deviation, catch: Catch) -> bool:
    """Whether a catch is as grave as the clause demands.

    A deviation from a MUST clause has to fail, unless a degraded level is named after it; for a SHOULD clause a warning
    is enough.
    """
    warning_is_enough = bool(deviation.clause) and clauses()[deviation.clause].requirement != MUST
    return catch.fails or warning_is_enough or bool(deviation.level)


def family_of(case_id: str) -> str:
    """The family of a case, read from its id."""
    return case_id.partition("/")[0].upper()
