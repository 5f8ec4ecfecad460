"""One failing observation held against deviating layers: what remains worse than `stable` under each?

An observation is judged once more with the numbers of a deviating layer in the place of the goldens, within the bounds
that `bn_conformance.diagnosis.shifted_goldens` makes of the right ones. A deviation explains it when nothing is worse
than `stable` then, and what is no number (an input that was modified, a call that raised) is just what the deviating
layer does, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.diagnosis.distance import NEARER, how_far
from bn_conformance.diagnosis.shifted_goldens import rebased
from bn_conformance.diagnosis.teacher_forcing import Backwards, Following, InTurn, Unrounded
from bn_conformance.hosting.local import LocalHost
from bn_conformance.judging.case import each_quantity
from bn_conformance.judging.context import JudgingContext
from bn_conformance.judging.goldens import Goldens
from bn_conformance.mutation.mutant import PlainAdapter
from bn_conformance.observing.observation import Observation, same
from bn_conformance.observing.observe import observe
from bn_conformance.results import outcomes
from bn_conformance.results.records import Quantity
from bn_reference.arithmetic.quad import QUAD
from bn_reference.deviations import Deviation
from bn_reference.layer.layer import PlainLayer

NEVER = 1e6
"""How much remains unexplained where an error is raised that the deviation does not raise, or the opposite."""

BY_CHANCE = ("repeat", "concurrent")
"""Faults of runs that differ from one another: where they differ first is chance, that they do is not."""

_LENIENT: dict[str, Any] = {"exact": False, "tight": False, "band": False}
"""Properties of a case that only goldens can have."""


@dataclass(frozen=True)
class _Tried:
    """A deviating layer on the case: as an implementation would be (and again, where the case asks), and unrounded."""

    plain: Observation
    again: Observation | None
    fine: Observation


class Examiner:
    """Compares one observation with deviating layers.

    Args:
        case: the case that fails.
        seen: what was observed.
        again: a second observation, where the case asks for one.
        convention: what the implementation declares.
        goldens: of this and other cases.
    """

    def __init__(
        self, case: Case, seen: Observation, again: Observation | None, convention: Convention, goldens: Goldens
    ) -> None:
        self._case, self._seen, self._again, self._convention = case, seen, again, convention
        self._data = goldens.data(case)
        self._goldens = () if case.expects == "refusal" else goldens.steps(case, convention)  # bad input has none
        self._double = case.config.dtype == "float64"
        self._right = self._observe(LocalHost(self._adapter([])))
        self._tried: dict[tuple[str, ...], _Tried | None] = {}
        self._seen_faults: set[tuple[str, str]] | None = None
        self.right_left = self._left_by_right()
        self._unbounded = [] if self.right_left else self._beyond_bounds()
        self.right_left = 2.0 if self._unbounded else self.right_left  # just as far as itself
        self._narrow: list[Observation] | None = None

    def explains(self, deviations: Sequence[Deviation]) -> bool:
        """Whether nothing remains, without the allowances of `explains_at_last`."""
        return self.first_left(deviations) == 0.0

    def first_left(self, deviations: Sequence[Deviation]) -> float | None:
        """How bad the first thing is that remains, 0 where nothing does; None where they change nothing here.

        It costs less than `unexplained`, and tells about as well what is near.
        """
        tried = self._try(deviations)
        return None if tried is None else next(self._remaining(tried), 0.0)

    def explains_at_last(self, deviations: Sequence[Deviation]) -> bool:
        """Whether nothing remains with allowance for the arithmetic's noise, or on a second try after another call.

        What layers share was in some state that nobody recorded, so a deviation may do otherwise the next time.
        """
        tried = self._try(deviations)
        if tried is None:
            return False
        if next(self._remaining(tried), 0.0) == 0.0:
            return True
        if next(self._remaining(tried, self._in_narrow(deviations)), 0.0) == 0.0:
            return True
        once_more = self._run(deviations, called=True)
        return once_more is not None and next(self._remaining(once_more), 0.0) == 0.0

    def unexplained(self, deviations: Sequence[Deviation]) -> float | None:
        """How much remains under deviations, 0 for nothing; None where they change nothing here."""
        tried = self._try(deviations)
        return None if tried is None else sum(self._remaining(tried))

    def _try(self, deviations: Sequence[Deviation]) -> _Tried | None:
        """Both runs of a deviating layer, made once; None where it is no deviation here, or changes nothing."""
        key = tuple(entry.name for entry in deviations)
        if key not in self._tried:
            self._tried[key] = self._run(deviations)
        return self._tried[key]

    def _run(self, deviations: Sequence[Deviation], called: bool = False) -> _Tried | None:
        if any(entry.under(self._convention) is None for entry in deviations):
            return None
        host = LocalHost(self._adapter(deviations, called))
        plain = self._observe(host)
        again = self._observe(host) if self._case.repeat and plain.error is None else None
        unlike = again is not None and not same(plain, again)
        if same(plain, self._right) and not unlike:
            return None
        return _Tried(plain, again, self._along(deviations, QUAD if self._double else None, Unrounded, called))

    def _adapter(
        self,
        deviations: Sequence[Deviation],
        called: bool = False,
        work: np.dtype[Any] | None = None,
        base: type[PlainLayer] = PlainLayer,
    ) -> PlainAdapter:
        """Layers with deviations; `called` where one of them was called before."""
        adapter = PlainAdapter(deviations, self._convention, work, base)
        if called:
            adapter.call_once(self._case, self._data)
        return adapter

    def _observe(self, host: LocalHost) -> Observation:
        return observe(self._case, self._data, host, self._convention.statistics_move == "explicit")

    def _along(
        self,
        deviations: Sequence[Deviation],
        work: np.dtype[Any] | None,
        base: type[PlainLayer],
        called: bool = False,
    ) -> Observation:
        host = Following(self._adapter(deviations, called, work, base), self._seen, self._data)
        return observe(self._case, self._data, host, self._convention.statistics_move == "explicit")

    def _in_narrow(self, deviations: Sequence[Deviation]) -> list[Observation]:
        """The deviating layer in the arithmetic that implementations use, in two orders of its sums."""
        work = np.dtype(np.float64 if self._double else np.float32)
        return [one for base in (Backwards, InTurn) if not (one := self._along(deviations, work, base)).error]

    def _right_in_narrow(self) -> list[Observation]:
        """The right layer likewise, run once."""
        if self._narrow is None:
            self._narrow = self._in_narrow([])
        return self._narrow

    def _remaining(self, tried: _Tried, narrow: Sequence[Observation] = ()) -> Iterator[float]:
        """How bad each thing is that remains, numbers first; nothing where the deviation explains all."""
        seen, theirs = self._seen, tried.plain
        if seen.error is not None or theirs.error is not None:
            both = seen.error is not None and theirs.error is not None and seen.error_step == theirs.error_step
            if not both:
                yield NEVER
            return
        if self._case.expects == "refusal":
            return
        if tried.fine.error is not None:
            yield NEVER
            return
        yield from self._numbers(tried.fine, narrow)
        if self._unbounded:
            right = (self._right, *self._right_in_narrow()) if narrow else (self._right,)
            part = how_far(self._unbounded, seen, (theirs, *narrow), right)
            if part > NEARER:
                yield 1.0 + min(part, NEVER)
        if self._seen_faults is None:
            self._seen_faults = self._faults(seen, self._again)
        yield from (1.0 for _ in self._seen_faults ^ self._faults(theirs, tried.again))

    def _numbers(self, fine: Observation, narrow: Sequence[Observation]) -> Iterator[float]:
        """How bad each number is that is beyond the bounds around those of a deviating layer."""
        goldens = tuple(
            rebased(step, observed, [one.steps[place] for one in narrow], self._case)
            for place, (step, observed) in enumerate(zip(self._goldens, fine.steps, strict=True))
        )
        judgement = JudgingContext(replace(self._case, **_LENIENT), self._data, goldens, self._convention)
        for quantity in each_quantity(judgement, self._seen, None):
            if not _is_fault(quantity) and (badness := _badness(quantity)):
                yield badness

    def _left_by_right(self) -> float:
        """How bad the first number is beyond the right layer's bounds as they are here; 0 where none is."""
        if self._seen.error is not None or self._right.error is not None or self._case.expects == "refusal":
            return NEVER
        return next(self._numbers(self._along([], QUAD if self._double else None, Unrounded), ()), 0.0)

    def _beyond_bounds(self) -> list[Quantity]:
        """Numbers that are wrong although the right layer's bounds, as they are here, would explain every one."""
        judgement = JudgingContext(self._case, self._data, self._goldens, self._convention)
        return [one for one in each_quantity(judgement, self._seen, None) if not _is_fault(one) and _badness(one)]

    def _faults(self, seen: Observation, again: Observation | None) -> set[tuple[str, str]]:
        """What is wrong with a layer beside the numbers that it computes."""
        judgement = JudgingContext(self._case, self._data, self._goldens, self._convention)
        return {
            (one.name, "" if one.name in BY_CHANCE else one.message or f"{one.outcome} {one.got}")
            for one in each_quantity(judgement, seen, again)
            if _is_fault(one)
        }


def _is_fault(quantity: Quantity) -> bool:
    """Whether a quantity is no computed number: it has a message, or is what a fresh layer holds."""
    return bool(quantity.message) or quantity.name.startswith("initial.")


def _badness(quantity: Quantity) -> float:
    """0 where a quantity is `stable`; else 1 and the order of magnitude of its error, so that nearer is better."""
    if outcomes.outcome_rank(quantity.outcome) <= outcomes.outcome_rank(outcomes.NOT_JUDGED):
        return 0.0
    return 1.0 + math.log10(min(max(quantity.ratio or 1.0, 1.0), 1e30))
