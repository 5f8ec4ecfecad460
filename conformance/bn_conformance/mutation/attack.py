"""The attack: looks for a case that catches each conditional mutant, and says what would show those that none does."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from itertools import islice
from math import prod
from multiprocessing import get_context

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.cases.tensors import data_of
from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.orphan import end_with_parent
from bn_conformance.judging.goldens import Goldens
from bn_conformance.mutation.bench import Bench, under_conventions
from bn_conformance.mutation.catch import Catch, is_grave
from bn_conformance.mutation.conditional import conditional
from bn_conformance.mutation.conditions import Where
from bn_conformance.mutation.fitting import can_be_fitted, fitted, occasions_of
from bn_conformance.mutation.measuring import available_cpus
from bn_conformance.mutation.occasions import Occasion
from bn_conformance.mutation.power import Power
from bn_conformance.mutation.sampling import Mutant
from bn_conformance.results.outcomes import ItemVerdict
from bn_reference.deviations import Deviation, catalogue

WITNESSES = 4
"""How many cases that catch the deviation itself are fitted to the condition of a mutant that no case catches."""

MOST_COUNTED = 100
"""Cases that catch the deviation of a survivor itself are counted so far."""

RIGHT = (ItemVerdict.PASS.value, ItemVerdict.REFUSED.value)
"""Verdicts of the reference layer on a fitted case that asks for what is right."""

CHUNK = 25
"""Mutants that a process of the pool is given at a time."""

PARTS = 16
"""Into how many parts deviations are divided among the processes."""


@dataclass(frozen=True)
class Fate:
    """What became of a mutant.

    Attributes:
        mutant: the mutant.
        caught_by: id of a case that catches it; empty for none.
        shown_by: where none does, a case as it would have to be to catch it; empty where no such case was found.
        tried: how many inputs that meet the condition were tried where none catches it: cases, and fitted ones.
        acts_in: of these, the one in which it gives something else than the reference layer with the largest error;
            empty where it gives the same in all, bit for bit.
        ratio: that error over what `tight` allows.
        level: the level of that case.
        catching: of a survivor, how many cases catch its deviation where no condition keeps it from acting; counted up
            to `MOST_COUNTED`.
    """

    mutant: Mutant
    caught_by: str = ""
    shown_by: str = ""
    tried: int = 0
    acts_in: str = ""
    ratio: float = 0.0
    level: str = ""
    catching: int = 0

    @property
    def survives(self) -> bool:
        """Whether no case catches it, though one could."""
        return not self.caught_by and bool(self.shown_by)

    @property
    def is_within(self) -> bool:
        """Whether it acts, but within the bounds: with an error that right layers may have."""
        return not self.caught_by and not self.shown_by and bool(self.acts_in)

    @property
    def is_idle(self) -> bool:
        """Whether it gives what a right layer gives on all that was tried, as one of training in inference alone."""
        return not self.caught_by and not self.shown_by and not self.acts_in


def attack(mutants: Sequence[Mutant], case_ids: Sequence[str], processes: int = 0) -> Iterator[Fate]:
    """The fate of each mutant, in no certain order.

    Args:
        mutants: whom to judge.
        case_ids: the cases that may catch them.
        processes: how many; 0 is one a core. One judges here.
    """
    parts = [mutants[start : start + CHUNK] for start in range(0, len(mutants), CHUNK)]
    count = min(processes or available_cpus(), len(parts))
    if count < 2:
        hunt = Hunt(case_ids)
        yield from map(hunt.fate, mutants)
        return
    with ProcessPoolExecutor(count, get_context("spawn"), _start, (os.getpid(), tuple(case_ids))) as pool:
        for future in as_completed([pool.submit(_fates, tuple(part)) for part in parts]):
            yield from future.result()


def first_catches(names: Sequence[str], case_ids: Sequence[str], processes: int = 0) -> Iterator[float | Power]:
    """Look for one case that catches each deviation, those first that test what it breaks.

    This takes a small part of the time of `measure`, which looks in every family of cases.

    Args:
        names: deviations.
        case_ids: the cases that may catch them.
        processes: how many; 0 is one a core.

    Yields:
        The part of the deviations that are done so far, from 0 to 1; at last the result.
    """
    caught: dict[str, tuple[Catch, ...]] = {}
    parts = [tuple(names[start::PARTS]) for start in range(min(PARTS, len(names)))]
    count = min(processes or available_cpus(), len(parts))
    with ProcessPoolExecutor(count, get_context("spawn"), _start, (os.getpid(), tuple(case_ids))) as pool:
        for future in as_completed([pool.submit(_first_catches, part) for part in parts]):
            caught |= future.result()
            yield len(caught) / len(names)
    deviations = {name: catalogue()[name] for name in names}
    yield Power(deviations, {name: caught[name] for name in names}, len(case_ids), is_whole=False)


class Hunt:
    """Looks for cases that catch mutants; keeps goldens and what the reference layer gives.

    Args:
        case_ids: the cases.
    """

    def __init__(self, case_ids: Sequence[str]) -> None:
        self._cases = [all_cases()[case_id] for case_id in case_ids]
        self._goldens = Goldens()
        self._benches: dict[str, tuple[Convention, Bench]] = {}
        self._occasions: dict[str, tuple[Occasion, ...]] = {}
        self._catching: dict[str, list[Case]] = {}
        self._counts: dict[str, int] = {}

    def fate(self, mutant: Mutant) -> Fate:
        """What becomes of a mutant."""
        original = catalogue()[mutant.deviation]
        convention, bench = self._bench(original)
        changed = conditional(original, mutant.where, convention)
        fate = Fate(mutant)
        for case in self._in_order(original):
            if self._holds(mutant.where, case):
                fate = _after(fate, bench, case, changed, bench.may_act(original, case))
                if fate.caught_by:
                    return Fate(mutant, caught_by=fate.caught_by)
        for case in self._that_catch(original):
            like = fitted(case, mutant.where)
            fresh = Bench(convention)  # whose goldens nobody needs again
            if like is None or not _meets(mutant.where, like):
                continue
            if fresh.judge([], like).verdict not in RIGHT:
                continue
            fate = _after(fate, fresh, like, changed)
            if fate.caught_by:
                return replace(fate, caught_by="", shown_by=like.id, catching=self._count_catching(original))
        return fate

    def first_catch(self, deviation: Deviation) -> Catch | None:
        """The catch of the first case that catches a deviation of the catalogue as gravely as its clause demands."""
        return next((catch for _, catch in self._catches(deviation, self._in_order(deviation))), None)

    def _catches(self, deviation: Deviation, cases: Iterable[Case]) -> Iterator[tuple[Case, Catch]]:
        """Those of some cases that catch a deviation itself, with their catches."""
        bench = self._bench(deviation)[1]
        for case in cases:
            if bench.may_act(deviation, case) and (catch := _catch(bench, case, deviation)):
                yield case, catch

    def _that_catch(self, deviation: Deviation) -> list[Case]:
        """Some cases that catch a deviation itself and can be fitted, with different steps and layouts."""
        if deviation.name not in self._catching:
            found = self._catches(deviation, filter(can_be_fitted, self._in_order(deviation)))
            self._catching[deviation.name] = [case for case, _ in islice(found, WITNESSES)]
        return self._catching[deviation.name]

    def _count_catching(self, deviation: Deviation) -> int:
        """How many cases catch a deviation itself, counted up to `MOST_COUNTED`."""
        if deviation.name not in self._counts:
            found = self._catches(deviation, self._in_order(deviation))
            self._counts[deviation.name] = sum(1 for _ in islice(found, MOST_COUNTED))
        return self._counts[deviation.name]

    def _bench(self, deviation: Deviation) -> tuple[Convention, Bench]:
        """The first of the conventions under which it is a deviation, and the bench of that convention."""
        ((convention, _),) = under_conventions([deviation])
        return self._benches.setdefault(repr(convention), (convention, Bench(convention, self._goldens)))

    def _in_order(self, deviation: Deviation) -> list[Case]:
        """The cases, those that test what the deviation breaks first, and of these the small ones."""
        clause, family = deviation.clause, deviation.clause.partition("-")[0]

        def rank(case: Case) -> tuple[int, int]:
            nearness = 0 if clause in case.clauses else 1 if family == case.family else 2
            return nearness, sum(prod(batch.shape) for batch in case.batches)

        return sorted(self._cases, key=rank)

    def _holds(self, where: Where, case: Case) -> bool:
        """Whether the condition holds in a call of the case's own layer."""
        if case.id not in self._occasions:
            self._occasions[case.id] = tuple(occasions_of(case, self._goldens.data(case)))
        return any(where.holds(occasion) for occasion in self._occasions[case.id])


def _catch(bench: Bench, case: Case, deviation: Deviation) -> Catch | None:
    """The catch of a case that is as grave as the clause demands."""
    return next((catch for catch in bench.catches(case, [deviation]) if is_grave(deviation, catch)), None)


def _meets(where: Where, case: Case) -> bool:
    """Whether the condition holds in a call of a fitted case."""
    return any(where.holds(occasion) for occasion in occasions_of(case, data_of(case)))


def _after(fate: Fate, bench: Bench, case: Case, changed: Deviation, may_act: bool = True) -> Fate:
    """The fate after one more input that meets the condition; one on which it cannot act is tried without a run."""
    fate = replace(fate, tried=fate.tried + 1)
    trial = bench.trial(case, changed) if may_act else None
    if trial is None:
        return fate
    if trial.catch and is_grave(changed, trial.catch):
        return replace(fate, caught_by=case.id)
    ratio, level = (trial.catch.ratio, "a warning") if trial.catch else (trial.ratio, trial.level)
    return fate if fate.acts_in and ratio <= fate.ratio else replace(fate, acts_in=case.id, ratio=ratio, level=level)


_hunts: list[Hunt] = []


def _start(parent: int, case_ids: tuple[str, ...]) -> None:
    """Prepare a process of the pool."""
    end_with_parent(parent)
    _hunts.append(Hunt(case_ids))


def _first_catches(names: tuple[str, ...]) -> dict[str, tuple[Catch, ...]]:
    """The first catch of each deviation, or none, in a process of the pool."""
    catches = {name: _hunts[0].first_catch(catalogue()[name]) for name in names}
    return {name: (catch,) if catch else () for name, catch in catches.items()}


def _fates(mutants: tuple[Mutant, ...]) -> list[Fate]:
    """The fates of some mutants, in a process of the pool."""
    return list(map(_hunts[0].fate, mutants))
