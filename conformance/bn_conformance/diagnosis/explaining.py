"""Which single deviations explain one failing case, where there is no run with other cases."""

from __future__ import annotations

import numpy as np

from bn_conformance.adapter import Capabilities, Convention
from bn_conformance.cases.model import Case
from bn_conformance.diagnosis.examined import is_examinable, work
from bn_conformance.diagnosis.match import Matcher
from bn_conformance.diagnosis.subject import Budget, deviations_for
from bn_conformance.diagnosis.tuning import TUNING
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import Runs


def explaining(case: Case, runs: Runs, convention: Convention, capabilities: Capabilities) -> tuple[str, ...]:
    """Names of the deviations that explain all of a failing case, as many as the budget allows.

    Args:
        case: the case.
        runs: what the implementation gave.
        convention: what it declares.
        capabilities: what it declares that it can do.
    """
    if not is_examinable(case):
        return ()
    budget, names = Budget(TUNING.budget), []
    with np.errstate(all="ignore"):
        matcher = Matcher.of(case, *runs, convention, Goldens())
        for deviation in deviations_for(convention, capabilities):
            if budget.spent:
                break
            budget.spend(work(case))
            if matcher.comes_nearer((deviation,)) and not matcher.left((deviation,)):
                names.append(deviation.name)
    return tuple(names)
