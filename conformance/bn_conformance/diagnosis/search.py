"""Searches the catalogue for deviations that explain failing cases: one after the other, each beside those before.

The search is greedy. It takes the smallest failing case that is not explained, looks for the deviations that explain
something of it, and keeps the one that explains most of all examined cases and that no passing case contradicts. It
goes on until all is explained, nothing is found, or its budget is spent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from bn_conformance.cases.model import Case
from bn_conformance.diagnosis.candidates import Deviations, Found, RankedDeviations, names_of, rounds
from bn_conformance.diagnosis.examined import Examined, effort, in_turn, work
from bn_conformance.diagnosis.predictions import Predictions
from bn_conformance.diagnosis.residual import NOTHING, Residual
from bn_conformance.diagnosis.subject import Budget, JudgedImplementation, deviations_for
from bn_conformance.diagnosis.telling_apart import told_by_more_cases
from bn_conformance.diagnosis.tuning import TUNING
from bn_conformance.results.outcomes import RIGHT, ItemVerdict, is_level
from bn_conformance.results.records import Item


class Search:
    """Explains failing cases of one implementation.

    Attributes:
        found: what was found so far, in order.

    Args:
        subject: what is diagnosed.
        predictions: of verdicts under its convention.
        budget: of what it computes.
    """

    def __init__(self, subject: JudgedImplementation, predictions: Predictions, budget: Budget) -> None:
        self.found: list[Found] = []
        self._subject, self._predictions, self._budget = subject, predictions, budget
        self._deviations = deviations_for(subject.convention, subject.capabilities)
        self._passing = self._in_order(
            [
                item
                for item in subject.with_verdict(*RIGHT)
                if is_level(item.outcome) or subject.cases[item.case].expects == "refusal"
            ]
        )
        self._failing = self._in_order(subject.with_verdict(ItemVerdict.FAIL))
        self._refuted: set[tuple[str, ...]] = set()
        self._predicted: dict[tuple[tuple[str, ...], str], bool] = {}

    def _in_order(self, items: Sequence[Item]) -> list[Item]:
        """Items of cases that are quick to run, by family in turn, small ones first."""
        families: dict[str, list[Item]] = {}
        for item in sorted(items, key=lambda item: effort(self._subject.cases[item.case])):
            case = self._subject.cases[item.case]
            if len(case.steps) <= TUNING.steps_per_case and effort(case) <= TUNING.numbers_of_a_witness:
                families.setdefault(case.family, []).append(item)
        return list(in_turn(families.values()))

    @property
    def deviations(self) -> Deviations:
        """All deviations that were found."""
        return tuple(deviation for found in self.found for deviation in found.deviations)

    def left(self, case: Examined) -> frozenset[str]:
        """What is left unexplained of a case."""
        left = case.matcher.left(self.deviations)
        return case.matcher.left(self.deviations, allowance=True) if left and self.deviations else left

    def explain(self, cases: Sequence[Examined], all_alike: bool = False) -> None:
        """Look for the deviations that explain cases, the first of them first.

        Args:
            cases: that fail.
            all_alike: one deviation must explain all that is left of them.
        """
        hopeless: set[Examined] = set()
        while not self._budget.spent and len(hopeless) < TUNING.unexplained_cases:
            target = self._next(case for case in cases if case not in hopeless)
            if target is None:
                return
            found = self._best(target, cases, pairs=not all_alike and len(hopeless) < TUNING.cases_without_pair)
            if found is not None and not (all_alike and self._is_chance(found, cases)):
                self.found.append(found)
            elif all_alike:
                return
            else:
                hopeless.add(target)

    def _next(self, cases: Iterable[Examined]) -> Examined | None:
        """The first case that is not explained; the smallest where trying every deviation on the first takes too much.

        What explains a small case is compared with the others for little.
        """
        unexplained = filter(self.left, cases)
        first = next(unexplained, None)
        if first is None or self._budget.allows(len(self._deviations) * work(first.case)):
            return first
        return min((first, *unexplained), key=lambda case: work(case.case))

    def _is_chance(self, found: Found, cases: Iterable[Examined]) -> bool:
        """Whether a find at an edge may be chance: it leaves something there, or others fit as well."""
        together = (*self.deviations, *found.deviations)
        leaves = any(case.matcher.left(together, allowance=True) for case in cases)
        return leaves or bool(self.found and found.alike)

    def explained_by(self, found: Found, cases: Iterable[Examined]) -> tuple[Examined, ...]:
        """The cases of which nothing is left with all finds, and something without this one."""
        others = tuple(deviation for deviation in self.deviations if deviation not in found.deviations)
        whole = [case for case in cases if not self.left(case)]
        return tuple(case for case in whole if not case.matcher.explains_with_allowance(others))

    def _best(self, target: Examined, cases: Sequence[Examined], pairs: bool) -> Found | None:
        """The best of the deviations that explain something of a case; None where no candidate holds."""
        left = {case: self.left(case) for case in cases}
        for candidates in self._candidates(target, left[target], pairs):
            ranked = sorted(
                filter(None, (self._weighed(candidate, target, left) for candidate in candidates)),
                key=lambda one: (-one.whole, -len(one.gained), not one.declarable),
            )
            if ranked and (found := self._standing(ranked)) is not None:
                return found
        return None

    def _candidates(self, target: Examined, left: frozenset[str], pairs: bool) -> Iterator[list[Deviations]]:
        """Deviations that explain something of a case: single ones, then with every allowance, then pairs."""
        known, matcher = self.deviations, target.matcher
        others_in_order: list[Deviations] = [
            (one,) for one in self._deviations if one not in known and self._predictions.acts((one,), target.case)
        ]
        # The budget may end before the last.
        others = sorted(others_in_order, key=lambda one: one[0].clause not in target.case.clauses)
        singles = [
            one
            for one in self._affordable(others, target, TUNING.part_of_a_look)
            if rounds(*one) or matcher.comes_nearer((*known, *one), known)
        ]
        looked_at = self._affordable(singles, target, TUNING.part_of_a_look)
        first = {one: matcher.first_residual((*known, *one)) for one in looked_at}
        whole = [one for one, residual in first.items() if residual == NOTHING]
        nearest = self._nearest(first, matcher.reference_residual)
        tried = nearest[: TUNING.tried_beside_others if whole else TUNING.tried_with_allowance]
        tried += [one for one in nearest if rounds(*one) and one not in tried]
        allowed = {one: matcher.left((*known, *one), allowance=True) for one in self._affordable(tried, target)}
        whole += [one for one in allowed if not allowed[one]]
        yield sorted(whole, key=others_in_order.index)
        remaining = {one: matcher.left((*known, *one)) for one in self._affordable(nearest, target)} | allowed
        yield [one for one in remaining if remaining[one] and remaining[one] < left]
        if pairs:
            pairs_of = self._affordable(self._pairs(nearest), target)
            yield [pair for pair in pairs_of if not matcher.left((*known, *pair))]

    def _affordable(self, candidates: Iterable[Deviations], case: Examined, part: float = 1.0) -> Iterator[Deviations]:
        """The candidates that are compared with a case before a part of the budget is spent."""
        kept = (1.0 - part) * self._budget.left
        for one in candidates:
            if self._budget.left <= kept:
                return
            self._budget.spend(work(case.case))
            yield one

    def _nearest(self, first: Mapping[Deviations, Residual | None], of_reference: Residual) -> list[Deviations]:
        """Those that change something noticeable, by the weight of the first thing that they leave."""
        weights = {
            one: residual.weight
            for one, residual in first.items()
            if residual not in (None, NOTHING) and (residual.differs_from(of_reference) or self.found)
        }
        return sorted(weights, key=lambda one: (weights[one], one[0].name))

    def _pairs(self, nearest: Sequence[Deviations]) -> Iterator[Deviations]:
        """The very nearest with every other one, and some more with one another."""
        pairs = [(*first, *second) for first in nearest[: TUNING.leaders] for second in nearest if first != second]
        pairs += [(*first, *second) for first, second in combinations(nearest[: TUNING.partners], 2)]
        seen: set[frozenset[str]] = set()
        for pair in pairs:
            names = frozenset(deviation.name for deviation in pair)
            if names not in seen:
                seen.add(names)
                yield pair

    def _weighed(
        self, deviations: Deviations, target: Examined, left: dict[Examined, frozenset[str]]
    ) -> RankedDeviations | None:
        """A candidate with the cases of which it explains something; None where some case speaks against it."""
        candidate, is_rounding = RankedDeviations(deviations), any(map(rounds, deviations))
        for case, before in left.items():
            self._budget.spend(work(case.case))
            now = case.matcher.left((*self.deviations, *deviations))
            if now and (now != before or case is target or is_rounding):
                now = case.matcher.left((*self.deviations, *deviations), allowance=True)
            if not now <= before:
                return None
            if now < before:
                candidate.gained.append(case)
                candidate.whole += not now
        return candidate if candidate.gained else None

    def _standing(self, ranked: Sequence[RankedDeviations]) -> Found | None:
        """The first candidate that no passing case contradicts, told apart from those that rank with it."""
        best = [one for one in ranked if names_of(one.deviations) not in self._refuted]
        agreeing: list[RankedDeviations] = []
        for candidate in best[: TUNING.candidates]:
            if agreeing and candidate.rank < agreeing[0].rank and len(agreeing) >= TUNING.tied_candidates:
                break
            if self._is_refuted(candidate):
                self._refuted.add(names_of(candidate.deviations))
            else:
                agreeing.append(candidate)
        if not agreeing:
            return None
        if len(agreeing) > 1:
            for candidate in agreeing:
                candidate.misses = self._misses(candidate.deviations)
        agreeing.sort(
            key=lambda one: (one.contradictions, one.misses, *(-rank for rank in one.rank), not one.declarable)
        )
        first, *others = self._told_apart(agreeing)
        alike = ["+".join(names_of(other.deviations)) for other in others]
        return Found(
            first.deviations, first.witnesses, first.contradictions, tuple(alike[: TUNING.alike]), tuple(first.gained)
        )

    def _is_refuted(self, candidate: RankedDeviations) -> bool:
        """Compare a candidate with passing cases in which it acts; whether these contradict it.

        One contradiction is enough, unless it explains very many cases wholly. What cannot be compared with enough
        cases before the budget is spent is no find either.
        """
        together = (*self.deviations, *candidate.deviations)
        tolerated = candidate.whole // TUNING.explained_for_a_contradiction
        for item in self._acting(candidate.deviations, self._passing):
            if self._predicts_otherwise(together, item):
                candidate.contradictions += 1
                if candidate.contradictions > tolerated:
                    return True
            else:
                candidate.witnesses += 1
            if candidate.witnesses >= TUNING.witnesses:
                break
            if self._budget.spent:
                return candidate.witnesses < TUNING.witnesses_for_confidence
        return False

    def _told_apart(self, ranked: list[RankedDeviations]) -> list[RankedDeviations]:
        """The candidates that rank with the first, but for those that some further passing or new case contradicts."""
        tied = [one for one in ranked if one.standing == ranked[0].standing]
        for item in self._passing[: TUNING.cases_to_tell_apart]:
            if len(tied) < 2 or self._budget.spent:
                break
            case = self._subject.cases[item.case]
            kept = [one for one in tied if not self._contradicts(one, item, case)]
            tied = kept or tied
        return told_by_more_cases(tied, self.deviations, self._subject, self._predictions, self._budget)

    def _contradicts(self, candidate: RankedDeviations, item: Item, case: Case) -> bool:
        if not self._predictions.acts(candidate.deviations, case):
            return False
        return self._predicts_otherwise((*self.deviations, *candidate.deviations), item)

    def _misses(self, deviations: Deviations) -> int:
        """How many failing cases, of those that are compared, deviations would pass."""
        together, missed = (*self.deviations, *deviations), 0
        for item in self._failing[: TUNING.tie_breakers]:
            if self._budget.spent:
                break
            missed += self._predicts_otherwise(together, item)
        return missed

    def _predicts_otherwise(self, deviations: Deviations, item: Item) -> bool:
        case = self._subject.cases[item.case]
        self._budget.spend(work(case))
        key = names_of(deviations), item.case
        if key not in self._predicted:  # witnesses are asked again where candidates are told apart
            self._predicted[key] = self._predictions.contradicts(deviations, item, case)
        return self._predicted[key]

    def _acting(self, deviations: Deviations, items: Iterable[Item]) -> Iterator[Item]:
        with np.errstate(all="ignore"):
            for item in items:
                if self._predictions.acts(deviations, self._subject.cases[item.case]):
                    yield item
