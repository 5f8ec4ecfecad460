"""Faults of a run that are no computed numbers: a modified input, statistics that never move, what a fresh layer holds.

They are compared with those of a mutant as they are. No number is judged for that.
"""

from __future__ import annotations

from functools import cached_property

from bn_conformance.diagnosis.failing_goldens import unjudged
from bn_conformance.diagnosis.mutant_runs import FailingCase, MutantRuns
from bn_conformance.judging.case import each_quantity
from bn_conformance.judging.context import JudgingContext
from bn_conformance.observing.observation import Observation
from bn_conformance.results.records import Quantity

BY_CHANCE = ("repeat", "concurrent")
"""Faults of runs that differ from one another: that they differ is a fact, the place where they do is chance."""


class Faults:
    """Finds the faults of runs of one failing case, each as a name and a description.

    Args:
        failing: the case.
    """

    def __init__(self, failing: FailingCase) -> None:
        self._failing = failing
        self._context = JudgingContext(failing.case, failing.data, unjudged(failing.goldens), failing.convention)
        self._known: dict[MutantRuns, set[tuple[str, str]]] = {}

    @cached_property
    def own(self) -> set[tuple[str, str]]:
        """Those of the implementation."""
        return self.of(self._failing.observation, self._failing.repeat)

    def of_runs(self, runs: MutantRuns) -> set[tuple[str, str]]:
        """Those of a mutant, looked for once."""
        if runs not in self._known:
            self._known[runs] = self.of(runs.observation, runs.repeat)
        return self._known[runs]

    def of(self, observation: Observation, repeat: Observation | None) -> set[tuple[str, str]]:
        """Those of a layer.

        Args:
            observation: what it gave.
            repeat: what it gave the second time, where the case runs twice.
        """
        return {
            (quantity.name, "" if quantity.name in BY_CHANCE else _described(quantity))
            for quantity in each_quantity(self._context, observation, repeat)
            if is_fault(quantity)
        }


def is_fault(quantity: Quantity) -> bool:
    """Whether a quantity is no computed number: it has a message, or is what a fresh layer holds."""
    return bool(quantity.message) or quantity.name.startswith("initial.")


def _described(fault: Quantity) -> str:
    return fault.message or f"{fault.outcome} {fault.got}"
