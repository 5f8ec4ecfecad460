"""Searches the catalogue for the deviations that explain an implementation's failing cases, case after case.

What it takes to explain a case is decided in `bn_conformance.diagnosis.match`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.diagnosis.match import Matcher
from bn_conformance.diagnosis.residual import NOTHING
from bn_conformance.diagnosis.tuning import TUNING
from bn_conformance.judging.goldens import Goldens
from bn_conformance.observing.observation import Observation
from bn_reference.deviations import Deviation, catalogue


class DeviationSearch:
    """Examines failing cases of one implementation; a few of each clause are enough.

    Deviations that explained the cases before are tried first. The whole catalogue is searched only where none of them
    explains the next case.

    Args:
        convention: what the implementation declares.
        goldens: of all cases.
    """

    def __init__(self, convention: Convention, goldens: Goldens) -> None:
        self._convention, self._goldens = convention, goldens
        self._likely: set[str] = set()
        self._examined_clauses: Counter[str] = Counter()
        self._examined_families: Counter[str] = Counter()
        self._unexplained = 0
        self._without_pair = 0

    def explanations(
        self, case: Case, observation: Observation, repeat: Observation | None = None
    ) -> tuple[str, ...] | None:
        """Names of the deviations that explain a failing case, `a+b` for pairs; None where the case is not examined.

        Pairs are tried where no single deviation explains it.

        Args:
            case: the case.
            observation: what the implementation gave.
            repeat: what it gave the second time, where the case runs twice.
        """
        if not self.wants(case):
            return None
        self._examined_clauses[case.clauses[0]] += 1
        self._examined_families[case.family] += 1
        with np.errstate(all="ignore"):
            names = self._search(Matcher.of(case, observation, repeat, self._convention, self._goldens))
        self._unexplained += not names
        still_likely = self._likely & set(names)
        self._likely = still_likely or self._likely or set(names)
        return names

    def wants(self, case: Case) -> bool:
        """Whether a case is examined if it fails: it can be, and few enough like it have been examined."""
        return (
            not case.laws
            and len(case.steps) <= TUNING.steps_per_case
            and self._examined_clauses[case.clauses[0]] < TUNING.cases_per_clause
            and self._examined_families[case.family] < TUNING.cases_per_family
            and self._examined_families.total() < TUNING.cases_in_all
            and self._unexplained < TUNING.unexplained_cases
        )

    def _search(self, matcher: Matcher) -> tuple[str, ...]:
        """Those that explained the cases before; else single deviations, else pairs."""
        names = _explaining(matcher, sorted(self._likely)) or _singles(matcher)
        if names or self._without_pair >= TUNING.cases_without_pair:
            return names
        nearest = _nearest({name: matcher.weight_of_all(_deviations(name)) for name in catalogue()})
        names = _explaining(matcher, nearest[: TUNING.partners])
        if names:
            return names
        names = tuple(pair for pair in _pairs(nearest) if matcher.explains(_deviations(pair)))
        self._without_pair += not names
        return names


def _singles(matcher: Matcher) -> tuple[str, ...]:
    """Single deviations that explain a case, and the nearest of the others that do so with every allowance.

    The others are tried even where some explain it without allowance: those may do so by luck.
    """
    residuals = {name: matcher.first_residual(_deviations(name)) for name in catalogue()}
    explaining = tuple(name for name, residual in residuals.items() if residual == NOTHING)
    weights = {
        name: residual.weight
        for name, residual in residuals.items()
        if residual not in (None, NOTHING) and residual.differs_from(matcher.reference_residual)
    }
    return explaining + _explaining(matcher, _nearest(weights)[: TUNING.tried_with_allowance])


def _nearest(weights: Mapping[str, float | None]) -> list[str]:
    """Names of the deviations that change something, by the weight of what they leave unexplained."""
    known = {name: weight for name, weight in weights.items() if weight is not None}
    return sorted(known, key=lambda name: (known[name], name))


def _pairs(nearest: list[str]) -> dict[str, None]:
    """Names of the pairs that are tried: the very nearest with every other one, some more with one another."""
    pairs = [(first, second) for first in nearest[: TUNING.leaders] for second in nearest if second != first]
    pairs += combinations(nearest[: TUNING.partners], 2)
    return dict.fromkeys("+".join(sorted(pair)) for pair in pairs)


def _explaining(matcher: Matcher, names: Iterable[str]) -> tuple[str, ...]:
    """Those of some deviations that explain a case with every allowance."""
    return tuple(name for name in names if matcher.explains_with_allowance(_deviations(name)))


def _deviations(names: str) -> list[Deviation]:
    return [catalogue()[name] for name in names.split("+")]
