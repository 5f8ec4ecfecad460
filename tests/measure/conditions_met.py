"""Under how many conditions questions are asked, without and with far places: `python -m tests.measure.conditions_met`.

A condition is one that the attack draws for a conditional mutant: one of the grammar, or a path and a size together. It
is met where it holds in a forward or a backward of a case that asks the question.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from bn_conformance.cases.model import Case
from bn_conformance.cases.tensors import data_of
from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.far import FAR
from bn_conformance.mutation.conditions import GRAMMAR, Where, drawn
from bn_conformance.mutation.fitting import occasions_of

DRAWN = 2000

QUESTIONS = {
    "the same arrays again": ("same-arrays", "same-arrays"),
    "a mask that counts one position": ("one", "one-counts"),
    "NaN among the values": ("nan-in-training", "not-finite"),
    "a frozen layer": ("frozen", "frozen"),
    "a dy with an entry more": ("dy-longer", "dy-longer"),
    "a state that lacks a vector": ("state-missing", "state-missing"),
}
"""Questions, with the ends of the ids of cases that ask them at usual places and at far ones."""


def share_met(cases: Iterable[Case], wheres: Iterable[Where]) -> float:
    """The share of the conditions that hold in a call of some case."""
    occasions = [occasion for case in cases for occasion in occasions_of(case, data_of(case))]
    met = [any(map(where.holds, occasions)) for where in wheres]
    return sum(met) / len(met)


def asking(question: str) -> tuple[list[Case], list[Case]]:
    """The cases that ask a question at usual places, and those at far ones."""
    usual, far = QUESTIONS[question]
    everything = all_cases().values()
    return (
        [case for case in everything if case.id.endswith(f"/{usual}")],
        [case for case in everything if FAR in case.axes and case.id.endswith(f"-{far}")],
    )


def main() -> int:
    """Print a line for each question."""
    wheres = [drawn(str(number), GRAMMAR) for number in range(DRAWN)]
    for question in QUESTIONS:
        usual, far = asking(question)
        shares = share_met(usual, wheres), share_met([*usual, *far], wheres)
        print(f"{question}: {shares[0]:.0%} of {DRAWN:,} conditions, with far places {shares[1]:.0%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
