"""Does a mutant explain a failing case? What is left unexplained under it?

The observation is judged once more with the mutant's numbers in place of the goldens, within bounds that
`bn_conformance.diagnosis.shifted_goldens` derives from those of the goldens. A mutant explains the observation when no
number is worse than `stable` then, and when faults that are no numbers (a modified input, an error that was raised)
are those of the mutant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from string import ascii_lowercase
from typing import Any

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.diagnosis.distance import comes_nearer, relative_distance
from bn_conformance.diagnosis.failing_goldens import remembering
from bn_conformance.diagnosis.faults import Faults, is_fault
from bn_conformance.diagnosis.kept import Kept
from bn_conformance.diagnosis.mutant_runs import FailingCase, MutantRunner, MutantRuns
from bn_conformance.diagnosis.residual import NOTHING, Kind, Residual
from bn_conformance.diagnosis.shifted_goldens import shifted
from bn_conformance.diagnosis.tuning import TUNING
from bn_conformance.judging.case import each_quantity
from bn_conformance.judging.context import JudgingContext
from bn_conformance.judging.goldens import Goldens, StepGolden
from bn_conformance.observing.observation import Observation
from bn_conformance.results import outcomes
from bn_conformance.results.records import Quantity
from bn_reference.arithmetic.quad import quietly
from bn_reference.deviations import Deviation

WITHIN_BOUNDS = "within bounds"
"""The name of what is left where the observation is no nearer to a mutant than to the reference layer."""

_ASKED_OF_GOLDENS_ALONE: dict[str, Any] = {"exact": False, "tight": False, "band": False}
"""What a case may ask of goldens and not of shifted ones."""


class Matcher:
    """Compares one failing observation with mutants.

    Attributes:
        failing: what was observed.
        reference_residual: the first thing that the reference layer leaves unexplained.
    """

    def __init__(self, failing: FailingCase) -> None:
        self.failing = failing
        self._runner, self._faults = MutantRunner(failing), Faults(failing)
        self._left: dict[tuple[tuple[str, ...], bool], frozenset[str]] = {}
        self._residuals_of: dict[MutantRuns, Kept[Residual]] = {}
        residual = self._first_of_reference()
        # Numbers that are wrong although they lie within the bounds of mutants around the reference layer.
        self._within_bounds = self._wrong_numbers if residual == NOTHING else []
        # The reference layer is exactly as far away as itself.
        self.reference_residual = Residual(Kind.NOT_NEARER, 1.0) if self._within_bounds else residual

    @classmethod
    def of(
        cls,
        case: Case,
        observation: Observation,
        repeat: Observation | None,
        convention: Convention,
        goldens: Goldens,
    ) -> Matcher:
        """A matcher with the data and goldens of a case.

        Args:
            case: the case that fails.
            observation: what the implementation gave.
            repeat: what it gave the second time, where the case runs twice.
            convention: what the implementation declares.
            goldens: of this and other cases.
        """
        steps = () if case.expects == "refusal" else remembering(goldens.steps(case, convention))
        return cls(FailingCase(case, observation, repeat, convention, goldens.data(case), steps))

    @cached_property
    def left_by_reference(self) -> frozenset[str]:
        """What the reference layer leaves unexplained: names of quantities and faults."""
        observation, reference = self.failing.observation, self._runner.reference
        if observation.error is not None or reference.error is not None or self.failing.expects_refusal:
            return frozenset({"error"})
        left = {residual.name for residual in self._numbers(self._runner.unrounded([]), ())}
        left |= {WITHIN_BOUNDS} if self._within_bounds else set()
        return frozenset(left | {": ".join(found) for found in self._faults.own ^ self._faults.of(reference, None)})

    @quietly
    def left(self, deviations: Sequence[Deviation], allowance: bool = False) -> frozenset[str]:
        """What deviations leave unexplained; where they change nothing in this case, what the reference layer leaves.

        Args:
            deviations: that act together.
            allowance: allow for rounding, as `explains_with_allowance` does.
        """
        key = tuple(deviation.name for deviation in deviations), allowance
        if key not in self._left:  # a search asks again and again, with what it has found
            self._left[key] = self._left_by(deviations, allowance)
        return self._left[key]

    def _left_by(self, deviations: Sequence[Deviation], allowance: bool) -> frozenset[str]:
        runs = self._runner.runs(deviations) if deviations else None
        left = self.left_by_reference if runs is None else _names(self._kept_residuals(runs))
        if left and allowance and runs and (narrow := self._runner.in_usual_precision(deviations)):
            left &= _names(self._residuals(runs, narrow, left))
        if left and allowance and (second_try := self._second_try(deviations, runs)) is not None:
            again = _names(self._residuals(second_try))
            left = again if again < left else left
        return left

    def _second_try(self, deviations: Sequence[Deviation], runs: MutantRuns | None) -> MutantRuns | None:
        """The runs of deviations after another call, in the usual precision; None where nothing else comes of it.

        Of what changes nothing in finer arithmetic only faults can come, such as bytes of memory that is overwritten.
        """
        if not deviations or (runs is None and all(": " not in name for name in self.left_by_reference)):
            return None
        second_try = self._runner.new_runs(deviations, after_a_call=True)
        return None if second_try is None or (runs and second_try.same_as(runs)) else second_try

    def _kept_residuals(self, runs: MutantRuns) -> Iterator[Residual]:
        """All that is left unexplained without an allowance, computed once, as far as it was asked for."""
        if runs not in self._residuals_of:
            self._residuals_of[runs] = Kept(self._residuals(runs))
        return iter(self._residuals_of[runs])

    def acts(self, deviations: Sequence[Deviation]) -> bool:
        """Whether deviations change anything in this case."""
        return self._runner.runs(deviations) is not None

    @quietly
    def comes_nearer(self, deviations: Sequence[Deviation], than: Sequence[Deviation] = ()) -> bool:
        """Whether deviations may explain some wrong number: a quick look at the worst elements alone.

        Where something else than numbers is wrong, it only tells whether the deviations can act.

        Args:
            deviations: that act together.
            than: deviations that they are compared with; none for the reference layer.
        """
        if not self._runner.acts(deviations):
            return False
        if self.failing.observation.error is not None or self.failing.expects_refusal:
            return self._runner.runs(deviations) is not None
        if self._within_bounds or not self._wrong_numbers:
            runs, before = self._runner.runs(deviations), self._runner.reference
            if runs is None or not self._within_bounds:
                return runs is not None
            now = runs.observation
        else:
            before, now = self._runner.unrounded(than), self._runner.unrounded(deviations)
        if now.error is not None:
            return False
        out = self._out_of_range(now) if self._within_bounds else set()
        return any(
            wrong.name in out or comes_nearer(wrong, self.failing.observation, now, before)
            for wrong in self._wrong_numbers
        )

    @cached_property
    def _wrong_numbers(self) -> list[Quantity]:
        """Numbers that are wrong by the bounds of the goldens."""
        return [
            quantity
            for quantity in each_quantity(self._context(), self.failing.observation, None)
            if _is_wrong_number(quantity)
        ]

    @quietly
    def first_residual(self, deviations: Sequence[Deviation]) -> Residual | None:
        """The first thing that is left unexplained; None where the deviations change nothing in this case.

        It costs less than `weight_of_all`, and ranks deviations about as well.
        """
        runs = self._runner.runs(deviations)
        return None if runs is None else next(self._kept_residuals(runs), NOTHING)

    @quietly
    def explains_with_allowance(self, deviations: Sequence[Deviation]) -> bool:
        """Whether nothing is left with allowance for rounding, or on a second try after another call.

        Layers may share state. Nobody recorded that of the implementation, so a mutant may do otherwise the next time.
        """
        return bool(deviations) and not self.left(deviations, allowance=True)

    def _residuals(
        self, runs: MutantRuns, narrow: Sequence[Observation] = (), of: Collection[str] | None = None
    ) -> Iterator[Residual]:
        """All that is left unexplained, numbers first.

        Args:
            runs: of the mutant.
            narrow: the mutant in the usual precision, where rounding is to be allowed for.
            of: what is left without that allowance, beside which no number can be left; None where that is not known.
        """
        observation, mutant = self.failing.observation, runs.observation
        if observation.error is not None or mutant.error is not None:
            both_raise = observation.error is not None and mutant.error is not None
            if not both_raise or _where_it_raised(observation) != _where_it_raised(mutant):
                yield Residual(Kind.RAISED_DIFFERENTLY, name="error")
            return
        if self.failing.expects_refusal:
            return
        if runs.unrounded.error is not None:
            yield Residual(Kind.NOT_COMPARABLE, name="error")
            return
        yield from self._numbers(runs.unrounded, narrow, of)
        out = set().union(*(self._out_of_range(run) for run in (mutant, *narrow))) if self._within_bounds else set()
        if within := [quantity for quantity in self._within_bounds if quantity.name not in out]:
            reference = (self._runner.reference, *(self._runner.reference_in_usual_precision if narrow else ()))
            distance = relative_distance(within, observation, (mutant, *narrow), reference)
            if distance > TUNING.nearer:
                yield Residual(Kind.NOT_NEARER, distance, WITHIN_BOUNDS)
        faults = sorted(self._faults.own ^ self._faults.of_runs(runs))
        yield from (Residual(Kind.OTHER_FAULT, name=": ".join(fault)) for fault in faults)

    def _numbers(
        self, unrounded: Observation, narrow: Sequence[Observation], of: Collection[str] | None = None
    ) -> Iterator[Residual]:
        """The numbers beyond the bounds around those of a mutant; `of` names those that are compared, None for all."""
        goldens = tuple(
            shifted(golden, step, [run.steps[place] for run in narrow], self.failing.case, _results(of, place))
            for place, (golden, step) in enumerate(zip(self.failing.goldens, unrounded.steps, strict=True))
        )
        case = replace(self.failing.case, **_ASKED_OF_GOLDENS_ALONE)
        for quantity in each_quantity(self._context(case, goldens), self.failing.observation, None):
            if _is_wrong_number(quantity):
                yield Residual(Kind.NUMBER_TOO_FAR, quantity.ratio or 1.0, quantity.name)

    def _out_of_range(self, observation: Observation) -> set[str]:
        """Numbers beyond the range of every sound algorithm, by name: what such a number is, is a matter of chance.

        They count where they are out of range in what the implementation gave, too.
        """
        out = {quantity.name for quantity in self._wrong_numbers if quantity.ends is not None}
        if not out or observation.error is not None:
            return set()
        judged = each_quantity(self._context(), observation, None)
        return {quantity.name for quantity in judged if quantity.name in out and quantity.ends is not None}

    def _first_of_reference(self) -> Residual:
        """The first number that the reference layer leaves unexplained within the bounds of mutants."""
        observation, reference = self.failing.observation, self._runner.reference
        if observation.error is not None or reference.error is not None or self.failing.expects_refusal:
            return Residual(Kind.NOT_COMPARABLE)
        return next(self._numbers(self._runner.unrounded([]), ()), NOTHING)

    def _context(self, case: Case | None = None, goldens: tuple[StepGolden, ...] | None = None) -> JudgingContext:
        failing = self.failing
        return JudgingContext(
            failing.case if case is None else case,
            failing.data,
            failing.goldens if goldens is None else goldens,
            failing.convention,
        )


def _where_it_raised(observation: Observation) -> tuple[int, str]:
    """The step and the operation."""
    return observation.error_step, observation.error_operation


def _names(residuals: Iterable[Residual]) -> frozenset[str]:
    """The names of residuals."""
    return frozenset(residual.name for residual in residuals)


def _results(names: Collection[str] | None, place: int) -> Collection[str] | None:
    """The results of a step that quantities are about, such as y for `step0.y` and `trajectory0.y`; None for None."""
    if names is None:
        return None
    parts = (name.partition(".") for name in names)
    return {rest.rpartition(".")[2] for head, _, rest in parts if head.lstrip(ascii_lowercase) == str(place)}


def _is_wrong_number(quantity: Quantity) -> bool:
    """Whether a quantity is a computed number that is worse than `stable`."""
    worse = outcomes.outcome_rank(quantity.outcome) > outcomes.outcome_rank(outcomes.NOT_JUDGED)
    return worse and not is_fault(quantity)
