"""What this suite says, as a row beside the others: by its own cases, goldens and bounds."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from bn_conformance.adapter import Convention
from bn_conformance.algorithms.algorithm import Algorithm
from bn_conformance.algorithms.layer import AlgorithmAdapter
from bn_conformance.cases.model import Case
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.local import LocalHost
from bn_conformance.judges.verdict import Word
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import run_case
from bn_conformance.mutation.attack import Hunt
from bn_conformance.mutation.bench import lenient_policy
from bn_conformance.mutation.power import judged_cases
from bn_conformance.results.outcomes import ItemVerdict
from bn_reference.deviations import Deviation

NAME = "bnconform"

PLACES = ("nchw",)
"""The layouts in which the right algorithms are judged here, in float32."""


class OwnJudge:
    """Judges as a run of all cases would; a deviation is caught where it fails, or only warns where a SHOULD does."""

    def __init__(self) -> None:
        self._hunt: Hunt | None = None

    def of_deviation(self, deviation: Deviation) -> Word:
        """Caught by some case, or passes them all."""
        self._hunt = self._hunt or Hunt(judged_cases())
        return Word.CAUGHT if self._hunt.first_catch(deviation) else Word.PASSES

    def fails(self, algorithm: Algorithm) -> bool:
        """Whether a case fails a right algorithm."""
        adapter, goldens, policy = AlgorithmAdapter(algorithm), _goldens(), lenient_policy()
        host = LocalHost(adapter)
        with np.errstate(all="ignore"):
            items = (
                run_case(adapter.name, case, host, Convention(), goldens, policy) for case in algorithm_cases().values()
            )
            return any(item.verdict == ItemVerdict.FAIL.value for item in items)


@cache
def algorithm_cases() -> Mapping[str, Case]:
    """The cases on which right algorithms are judged here: all of one step, in `PLACES` and float32."""
    return {
        name: case
        for name, case in all_cases().items()
        if name.split("/")[1:3] in [[place, "float32"] for place in PLACES]
        and len(case.steps) == 1
        and not case.sweep
        and not unsupported_reason(case, AlgorithmAdapter.capabilities)
    }


@cache
def _goldens() -> Goldens:
    return Goldens()
