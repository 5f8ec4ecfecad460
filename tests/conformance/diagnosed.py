"""How often the diagnosis names the right deviation first: run as `python -m tests.conformance.diagnosed [NAME]...`.

Every deviation of the catalogue is judged as an implementation would be, in float32 arithmetic where the format allows
(the diagnosis itself computes in float64 or binary128), and diagnosed from what fails.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from bn_conformance.adapter import Convention, Layer, LayerConfig
from bn_conformance.case import Case
from bn_conformance.cases import all_cases
from bn_conformance.deviant import PlainAdapter
from bn_conformance.diagnosis import diagnose
from bn_conformance.explaining import Examination
from bn_conformance.goldens import Goldens
from bn_conformance.local_host import LocalHost
from bn_conformance.observation import Observation, same
from bn_conformance.observe import observe
from bn_conformance.outcomes import Threshold, Verdict
from bn_conformance.power import DEBIASED, OPPOSITE, judged_cases
from bn_conformance.results import Diagnosis, Item
from bn_conformance.run_case import Policy, run_case
from bn_reference.clauses import clauses
from bn_reference.deviations import Deviation, catalogue

OTHER = Convention(running_variance="biased", momentum_weighs="old", default_momentum=0.99, default_eps=1e-3)
"""Declared where the deviation would change nothing of the default convention."""


class Single(PlainAdapter):
    """The plain layer in the arithmetic that implementations use."""

    def build(self, config: LayerConfig) -> Layer:
        self._work = np.dtype(np.float64 if config.dtype == "float64" else np.float32)
        return super().build(config)


@dataclass(frozen=True)
class Diagnosed:
    """A deviation (or several) and what the diagnosis made of it."""

    deviations: tuple[Deviation, ...]
    failing: int
    found: Diagnosis | None

    @property
    def verdict(self) -> str:
        names = {entry.name for entry in self.deviations}
        if self.found is None or not self.found.deviations:
            return "none"
        if set(self.found.deviations) == names:
            return "right"
        return "tied" if all(name in self.found.message for name in names) else "wrong"


@cache
def _goldens() -> Goldens:
    return Goldens()


@cache
def _cases() -> tuple[Case, ...]:
    known = (all_cases()[case] for case in judged_cases())
    return tuple(case for case in known if not case.sweep and len(case.steps) < 20)


def _observed(deviations: tuple[Deviation, ...], convention: Convention, case: Case) -> Observation:
    host = LocalHost(Single(deviations, convention))
    return observe(case, _goldens().data(case), host, convention.statistics_move == "explicit")


def _judged(deviations: tuple[Deviation, ...], convention: Convention, case: Case) -> Item:
    adapter = Single(deviations, convention)
    policy = Policy(Threshold.DEGRADED, {clause.id: clause.requirement for clause in clauses().values()})
    return run_case(adapter.name, case, LocalHost(adapter), convention, _goldens(), policy)


@cache
def _right(convention: Convention, case_id: str) -> tuple[Observation, Item]:
    """What the layer without a deviation gives, and its item."""
    case = all_cases()[case_id]
    return _observed((), convention, case), _judged((), convention, case)


def examine(*names: str) -> Diagnosed:
    deviations = tuple(catalogue()[name] for name in names)
    convention = next(
        one for one in (Convention(), OTHER, OPPOSITE, DEBIASED) if all(entry.under(one) for entry in deviations)
    )
    adapter, examination, items = Single(deviations, convention), Examination(convention, _goldens()), list[Item]()
    with np.errstate(all="ignore"):
        for case in _cases():
            seen, (right, item) = _observed(deviations, convention, case), _right(convention, case.id)
            if case.repeat or case.concurrent or not same(seen, right):
                item = _judged(deviations, convention, case)
            if item.verdict == Verdict.FAIL.value:
                item = replace(item, explained_by=examination.explanations(case, seen))
            items.append(item)
        failing = sum(item.verdict == Verdict.FAIL.value for item in items)
        return Diagnosed(deviations, failing, diagnose(adapter.name, convention, items))


def main(names: list[str]) -> int:
    count = {"right": 0, "tied": 0, "none": 0, "wrong": 0}
    for name in names or list(catalogue()):
        done = examine(*name.split("+"))
        count[done.verdict] += 1
        message = "" if done.found is None or done.verdict == "right" else done.found.message
        print(f"{done.verdict:6} {name:40} {done.failing:4} fail  {message}", flush=True)
    print(", ".join(f"{number} {verdict}" for verdict, number in count.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
