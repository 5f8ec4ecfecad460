"""Measures how often the diagnosis names the right deviation first: `python -m tests.measure.diagnosed [NAME]...`.

Each deviation of the catalogue is judged as an implementation would be, in float32 arithmetic where the format allows
(the diagnosis itself computes in float64 or binary128). It is then diagnosed from the cases that fail of those that a
check asks. Names joined by `+` act together; a module's name stands for all of its deviations; `-n` says how many
processes share the work.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from typing import Any

import numpy as np

from bn_conformance.adapter import Convention, LayerConfig
from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases
from bn_conformance.diagnosis.diagnose import diagnose
from bn_conformance.diagnosis.predictions import Predictions
from bn_conformance.diagnosis.subject import JudgedImplementation
from bn_conformance.diagnosis.tuning import TUNING
from bn_conformance.hosting.local import LocalHost
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import Runs, observe_runs, run_case
from bn_conformance.matrix.sample import sampled_plain, sampled_sweeps
from bn_conformance.mutation.bench import DEBIASED, OPPOSITE, lenient_policy
from bn_conformance.mutation.mutant import ALL_CAPABILITIES, PlainAdapter, usual_precision
from bn_conformance.mutation.power import judged_cases
from bn_conformance.observing.observation import Observation, same
from bn_conformance.observing.observe import observe
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Diagnosis, Item
from bn_reference.deviations import MODULES, Deviation, catalogue

ENOUGH, EVERY = 150, 4
"""Failing cases after which, to save time, only one in so many of the further cases is judged."""

VERDICTS = ("right", "tied", "none", "wrong", "unseen")

OTHER = Convention(running_variance="biased", momentum_weighs="old", default_momentum=0.99, default_eps=1e-3)
"""Declared where the deviation would change nothing of the default convention."""

CONVENTIONS = (Convention(), OTHER, OPPOSITE, DEBIASED)
"""The first under which a deviation changes something is declared."""


class UsualPrecision(PlainAdapter):
    """The plain layer in the arithmetic that implementations use."""

    def working_dtype(self, config: LayerConfig) -> np.dtype[Any]:
        return usual_precision(config.dtype)


@dataclass(frozen=True)
class Diagnosed:
    """What the diagnosis makes of a mutant.

    Attributes:
        names: its deviations.
        failing: how many cases it fails.
        diagnosis: what was said, None if nothing was.
        seconds: of processor time that the diagnosis took.
    """

    names: tuple[str, ...]
    failing: int
    diagnosis: Diagnosis | None
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`.

        A mutant is unseen where no case fails: only very long or large cases would, or a SHOULD is broken and they
        warn.
        """
        if not self.failing:
            return "unseen"
        if self.diagnosis is None or not self.diagnosis.deviations:
            return "none"
        if set(self.diagnosis.deviations) == set(self.names):
            return "right"
        return "tied" if all(name in self.diagnosis.message for name in self.names) else "wrong"

    def __str__(self) -> str:
        message = "" if self.diagnosis is None or self.verdict == "right" else self.diagnosis.message
        return f"{self.verdict:6} {'+'.join(self.names):40} {self.failing:4} fail {self.seconds:5.1f} s  {message}"


@dataclass(frozen=True)
class Mutant:
    """Deviations that act together, and the convention that they are declared under."""

    deviations: tuple[Deviation, ...]
    convention: Convention

    @classmethod
    def of(cls, *names: str) -> Mutant:
        """The mutant with these deviations, under the first convention that they change something of."""
        deviations = tuple(catalogue()[name] for name in names)
        return cls(deviations, next(one for one in CONVENTIONS if all(entry.under(one) for entry in deviations)))

    def observe(self, case: Case) -> Observation:
        data, explicit = _goldens(case.sweep).data(case), self.convention.statistics_move == "explicit"
        return observe(case, data, LocalHost(UsualPrecision(self.deviations, self.convention)), explicit)

    def runs(self, case: Case) -> Runs:
        host = LocalHost(UsualPrecision(self.deviations, self.convention))
        return observe_runs(case, self.convention, _goldens(case.sweep), host)

    def judge(self, case: Case) -> Item:
        adapter = UsualPrecision(self.deviations, self.convention)
        goldens = _goldens(case.sweep)
        return run_case(adapter.name, case, LocalHost(adapter), self.convention, goldens, lenient_policy())


@cache
def _goldens(sweep: bool) -> Goldens:
    """Goldens of sweeps and of other cases are apart: all together are more than one keeps."""
    return Goldens()


@cache
def _cases(sweep: bool) -> tuple[Case, ...]:
    """The cases that a check asks in one of its stages."""
    known = [all_cases()[case] for case in judged_cases()]
    plain, sweeps = ([case for case in known if case.sweep is kind] for kind in (False, True))
    asked = sampled_sweeps(sweeps, plain) if sweep else sampled_plain(plain)
    return tuple(case for case in known if case.id in asked and len(case.steps) <= TUNING.steps_per_case)


@cache
def _predictions(convention: Convention) -> Predictions:
    return Predictions(convention, goldens=_goldens(sweep=False))


@cache
def _reference(convention: Convention, case_id: str) -> tuple[Observation, Item]:
    """What the reference layer gives, and its item."""
    case, reference = all_cases()[case_id], Mutant((), convention)
    return reference.observe(case), reference.judge(case)


def examine(*names: str) -> Diagnosed:
    """Judge and diagnose a mutant; sweeps are judged where no other case catches it, as in `bnconform power`."""
    mutant = Mutant.of(*names)
    with np.errstate(all="ignore"):
        items = _items(mutant, sweep=False)
        if not _failing(items):
            items += _items(mutant, sweep=True)
        cases = {item.case: all_cases()[item.case] for item in items}
        unasked = [all_cases()[case] for case in judged_cases() if case not in cases]
        subject = JudgedImplementation(
            "+".join(names), mutant.convention, ALL_CAPABILITIES, items, cases, mutant.runs, unasked
        )
        start = time.process_time()
        diagnosis = diagnose(subject, _goldens(sweep=False), _predictions(mutant.convention))
        return Diagnosed(names, _failing(items), diagnosis, time.process_time() - start)


def _items(mutant: Mutant, sweep: bool) -> list[Item]:
    """The items of the sweeps, or of the other cases.

    Where very many cases fail, most of the others are left out, as in a run of fewer cases.
    """
    items = list[Item]()
    for place, case in enumerate(_cases(sweep)):
        observation, (reference, item) = mutant.observe(case), _reference(mutant.convention, case.id)
        if case.repeat or case.concurrent or not same(observation, reference):
            if place % EVERY and _failing(items) > ENOUGH:
                continue
            item = mutant.judge(case)
        items.append(item)
    return items


def _failing(items: list[Item]) -> int:
    return sum(item.verdict == ItemVerdict.FAIL.value for item in items)


def names_of(arguments: Sequence[str]) -> list[str]:
    """The names that arguments stand for: a module's name for all its deviations, nothing for the whole catalogue."""
    names: list[str] = []
    for argument in arguments or MODULES:
        names += [entry.name for entry in catalogue().values() if entry.group == argument] or [argument]
    return list(dict.fromkeys(names))


def _examine(joined_names: str) -> Diagnosed:
    return examine(*joined_names.split("+"))


def examine_all(names: Sequence[str], processes: int) -> Iterator[Diagnosed]:
    """What the diagnosis makes of each name, as it is done; no result depends on the process or on earlier results."""
    if processes == 1:
        yield from map(_examine, names)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(_examine, name) for name in names]):
            yield future.result()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each result as it is done; at the end all that are not right, in the catalogue's order, and the counts."""
    parser = argparse.ArgumentParser(description="how often the diagnosis names the right deviation first")
    parser.add_argument("names", nargs="*", metavar="NAME", help="deviations, `a+b` for two at once, or modules")
    parser.add_argument("-n", "--processes", type=int, default=1, help="how many processes share the work")
    given = parser.parse_args(arguments)
    names = names_of(given.names)
    results: dict[str, Diagnosed] = {}
    for result in examine_all(names, given.processes):
        results["+".join(result.names)] = result
        print(f"{len(results):3}/{len(names)} {result}", flush=True)
    count = Counter(result.verdict for result in results.values())
    print("\nNot right:")
    for name in names:
        if results[name].verdict != "right":
            print(results[name])
    print(", ".join(f"{count[verdict]} {verdict}" for verdict in VERDICTS))
    return 1 if count["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
