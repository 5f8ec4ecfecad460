"""How often the diagnosis names the right deviation first: run as `python -m tests.measure.diagnosed [NAME]...`.

Every deviation of the catalogue is judged as an implementation would be, in float32 arithmetic where the format allows
(the diagnosis itself computes in float64 or binary128), and diagnosed from what fails. Names joined by `+` act
together; a module's name stands for all deviations of it; `-n` says how many processes share the work.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context

import numpy as np

from bn_conformance.adapter import Convention, Layer, LayerConfig
from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases
from bn_conformance.diagnosis.diagnose import diagnose
from bn_conformance.diagnosis.predictions import Predictions
from bn_conformance.diagnosis.search import MOST_STEPS, Examination
from bn_conformance.hosting.local import LocalHost
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import Policy, run_case
from bn_conformance.mutation.mutant import PlainAdapter
from bn_conformance.mutation.power import DEBIASED, OPPOSITE, judged_cases
from bn_conformance.observing.observation import Observation, same
from bn_conformance.observing.observe import observe
from bn_conformance.results.outcomes import Threshold, Verdict
from bn_conformance.results.records import Diagnosis, Item
from bn_reference.deviations import MODULES, Deviation, catalogue
from bn_reference.specification.clauses import clauses

ENOUGH, EVERY = 150, 4
"""Failing cases that are judged whatever they add; beyond them one in so many, to save time."""

VERDICTS = ("right", "tied", "none", "wrong", "unseen")

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

    names: tuple[str, ...]
    failing: int
    found: Diagnosis | None

    @property
    def verdict(self) -> str:
        """Unseen where no case fails: only very long or large ones would, or a SHOULD is broken and they warn."""
        if not self.failing:
            return "unseen"
        if self.found is None or not self.found.deviations:
            return "none"
        if set(self.found.deviations) == set(self.names):
            return "right"
        return "tied" if all(name in self.found.message for name in self.names) else "wrong"

    def __str__(self) -> str:
        message = "" if self.found is None or self.verdict == "right" else self.found.message
        return f"{self.verdict:6} {'+'.join(self.names):40} {self.failing:4} fail  {message}"


@cache
def _goldens(sweep: bool) -> Goldens:
    """Of sweeps and of other cases: all together are more than it keeps."""
    return Goldens()


@cache
def _cases(sweep: bool) -> tuple[Case, ...]:
    known = (all_cases()[case] for case in judged_cases())
    return tuple(case for case in known if case.sweep == sweep and len(case.steps) <= MOST_STEPS)


def _observed(deviations: tuple[Deviation, ...], convention: Convention, case: Case) -> Observation:
    host = LocalHost(Single(deviations, convention))
    return observe(case, _goldens(case.sweep).data(case), host, convention.statistics_move == "explicit")


def judged(deviations: tuple[Deviation, ...], convention: Convention, case: Case) -> Item:
    adapter = Single(deviations, convention)
    policy = Policy(Threshold.DEGRADED, {clause.id: clause.requirement for clause in clauses().values()})
    return run_case(adapter.name, case, LocalHost(adapter), convention, _goldens(case.sweep), policy)


@cache
def _predictions(convention: Convention) -> Predictions:
    return Predictions(convention)


@cache
def _right(convention: Convention, case_id: str) -> tuple[Observation, Item]:
    """What the layer without a deviation gives, and its item."""
    case = all_cases()[case_id]
    return _observed((), convention, case), judged((), convention, case)


def examine(*names: str) -> Diagnosed:
    """Judge and diagnose; sweeps are for deviations that no other case catches, as in `bnconform power`."""
    deviations = tuple(catalogue()[name] for name in names)
    convention = next(
        one for one in (Convention(), OTHER, OPPOSITE, DEBIASED) if all(entry.under(one) for entry in deviations)
    )
    with np.errstate(all="ignore"):
        items = _items(deviations, convention, sweep=False)
        if not _failing(items):
            items += _items(deviations, convention, sweep=True)
        return Diagnosed(names, _failing(items), diagnose("+".join(names), convention, items, _predictions(convention)))


def _items(deviations: tuple[Deviation, ...], convention: Convention, sweep: bool) -> list[Item]:
    """The items of the sweeps, or of the other cases; failing ones examined.

    Where very many fail, as in a run of fewer cases, most of those that are not examined are left out.
    """
    examination, items = Examination(convention, _goldens(sweep)), list[Item]()
    for place, case in enumerate(_cases(sweep)):
        seen, (right, item) = _observed(deviations, convention, case), _right(convention, case.id)
        if case.repeat or case.concurrent or not same(seen, right):
            if place % EVERY and not examination.wants(case) and _failing(items) > ENOUGH:
                continue
            item = judged(deviations, convention, case)
        if item.verdict == Verdict.FAIL.value:
            again = _observed(deviations, convention, case) if case.repeat else None
            item = replace(item, explained_by=examination.explanations(case, seen, again))
        items.append(item)
    return items


def _failing(items: list[Item]) -> int:
    return sum(item.verdict == Verdict.FAIL.value for item in items)


def _wanted(arguments: Sequence[str]) -> list[str]:
    """The names that arguments stand for: a module's name for all its deviations, nothing for the whole catalogue."""
    found: list[str] = []
    for argument in arguments or MODULES:
        found += [entry.name for entry in catalogue().values() if entry.group == argument] or [argument]
    return list(dict.fromkeys(found))


def _examine(name: str) -> Diagnosed:
    return examine(*name.split("+"))


def _examined(names: Sequence[str], processes: int) -> Iterator[Diagnosed]:
    """What the diagnosis makes of each name, as it is done; no result depends on the process or on those before."""
    if processes == 1:
        yield from map(_examine, names)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(_examine, name) for name in names]):
            yield future.result()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each result as it is done; at the end what is not right, in the catalogue's order, and the counts."""
    parser = argparse.ArgumentParser(description="how often the diagnosis names the right deviation first")
    parser.add_argument("names", nargs="*", metavar="NAME", help="deviations, `a+b` for two at once, or modules")
    parser.add_argument("-n", "--processes", type=int, default=1, help="how many processes share the work")
    given = parser.parse_args(arguments)
    names = _wanted(given.names)
    found: dict[str, Diagnosed] = {}
    for done in _examined(names, given.processes):
        found["+".join(done.names)] = done
        print(f"{len(found):3}/{len(names)} {done}", flush=True)
    count = Counter(done.verdict for done in found.values())
    print("\nNot right:")
    for name in names:
        if found[name].verdict != "right":
            print(found[name])
    print(", ".join(f"{count[verdict]} {verdict}" for verdict in VERDICTS))
    return 1 if count["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
