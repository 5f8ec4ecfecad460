"""Which deviations explain what an implementation gave in its failing cases? The search, case after case.

What it takes to explain a case is for `bn_conformance.diagnosis.match` to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations

import numpy as np

from bn_conformance.adapter import Convention
from bn_conformance.cases.model import Case
from bn_conformance.diagnosis.match import Examiner
from bn_conformance.judging.goldens import Goldens
from bn_conformance.observing.observation import Observation
from bn_reference.deviations import Deviation, catalogue

LEADERS, PARTNERS = 3, 8
"""Deviations that are tried in pairs: the few that bring a case nearest to its numbers with all others, some more with
one another."""

ALLOWED, APART = 24, 1e-3
"""Deviations that are tried with every allowance, whether or not others explain a case without: the nearest of those
that leave a wrong number otherwise than the right layer does, noticeably; the rest have no part in it."""

OF_A_CLAUSE, OF_A_FAMILY, MOST_CASES = 3, 4, 24
"""Failing cases of one implementation that are examined: of each deciding clause, of each family, and of all.

Sequences, which come late, tell apart what a single step does not.
"""

MOST_UNEXPLAINED = 6
"""Cases that nothing explains, after which no more are examined: every one costs the whole catalogue."""

PAIRED_IN_VAIN = 2
"""Cases that no pair explains, after which pairs are tried no more: they would cost minutes, and explain nothing."""

MOST_STEPS = 40
"""Cases with more steps are not examined: a deviating layer would have to be run through all of them."""


class Examination:
    """Examines the failing cases of one implementation, one after the other; several of each clause are enough.

    Deviations that explained the cases before are tried first; only where none of them explains the next one are all.
    """

    def __init__(self, convention: Convention, goldens: Goldens) -> None:
        self._convention, self._goldens = convention, goldens
        self._likely: set[str] = set()
        self._clauses: Counter[str] = Counter()
        self._families: Counter[str] = Counter()
        self._unexplained = 0
        self._in_vain = 0

    def explanations(self, case: Case, seen: Observation, again: Observation | None = None) -> tuple[str, ...] | None:
        """Names of the deviations that explain a case, `a+b` for pairs; None where the case is not examined.

        Pairs are tried where no single deviation explains it. `again` is a second observation, where there is one.
        """
        if not self.wants(case):
            return None
        self._clauses[case.clauses[0]] += 1
        self._families[case.family] += 1
        with np.errstate(all="ignore"):
            found = self._search(Examiner(case, seen, again, self._convention, self._goldens))
        self._unexplained += not found
        both = self._likely & set(found)
        self._likely = both or self._likely or set(found)
        return found

    def wants(self, case: Case) -> bool:
        """Whether a case is examined, if it fails: one that can be, and not too many of its kind were before."""
        return (
            not case.laws
            and len(case.steps) <= MOST_STEPS
            and self._clauses[case.clauses[0]] < OF_A_CLAUSE
            and self._families[case.family] < OF_A_FAMILY
            and self._families.total() < MOST_CASES
            and self._unexplained < MOST_UNEXPLAINED
        )

    def _search(self, examiner: Examiner) -> tuple[str, ...]:
        """Those that explained the cases before; else singles, the nearest with every allowance, and pairs."""
        found = _explaining(examiner, sorted(self._likely))
        if found:
            return found
        first = {entry.name: examiner.first_left([entry]) for entry in catalogue().values()}
        found = tuple(name for name, left in first.items() if left == 0)
        # What explains it by luck must not hide what explains it with allowance.
        apart = {name: left for name, left in first.items() if left and abs(left - examiner.right_left) > APART}
        found += _explaining(examiner, _nearest(apart)[:ALLOWED])
        if found or self._in_vain >= PAIRED_IN_VAIN:
            return found
        likely = _nearest({entry.name: examiner.unexplained([entry]) for entry in catalogue().values()})
        found = _explaining(examiner, likely[:PARTNERS])
        if found:
            return found
        pairs = [(one, other) for one in likely[:LEADERS] for other in likely if other != one]
        pairs += combinations(likely[:PARTNERS], 2)
        names = dict.fromkeys("+".join(sorted(pair)) for pair in pairs)
        found = tuple(name for name in names if examiner.explains(_parts(name)))
        self._in_vain += not found
        return found


def _nearest(left: Mapping[str, float | None]) -> list[str]:
    """Names of what changes something, by how much remains under each."""
    known = {name: count for name, count in left.items() if count is not None}
    return sorted(known, key=lambda name: (known[name], name))


def _explaining(examiner: Examiner, names: Iterable[str]) -> tuple[str, ...]:
    """Those of some deviations that explain a case, with every allowance."""
    return tuple(name for name in names if examiner.explains_at_last(_parts(name)))


def _parts(name: str) -> list[Deviation]:
    return [catalogue()[part] for part in name.split("+")]
