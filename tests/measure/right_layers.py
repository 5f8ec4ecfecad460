"""Right algorithms as layers on all default cases: `python -m tests.measure.right_layers [ALGORITHM]...` counts alarms.

Every algorithm of `bn_conformance.algorithms` is made a layer and judged by the suite on all cases that it can be
asked; `--case PATTERN` judges some of them. An alarm is an item that fails, or that passes with a number at a degraded
level but `overflow`, which NUM-4 permits.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from tests.support.judge_layers import judge_all, supported

from bn_conformance.algorithms.algorithm import ALGORITHMS, Algorithm
from bn_conformance.algorithms.layer import AlgorithmAdapter
from bn_conformance.cases.model import Case
from bn_conformance.results.records import Item

UNSTABLE = tuple(f"degraded({name})" for name in ("raw-moments", "sequential-sum", "storage-precision"))
"""Levels that no right algorithm has. The overflow of squares is none of them: NUM-4 permits it."""

OUT_OF_RANGE = "overflow-gradient-sums"
"""Cases whose dgamma / n is beyond the largest number of float16: rounded to that, it is infinite and dx is NaN."""


def cases_for(algorithm: Algorithm, pattern: str = "*") -> list[Case]:
    """The default cases that a layer of the algorithm can be asked, but those that forbid the rounding of paths.

    A case forbids it where y must be tight, and where a number on the way leaves the range of float16 (DTYPE-2).
    """
    rounds = algorithm.rounds == "paths"
    return [
        case
        for case in supported(AlgorithmAdapter(algorithm).capabilities)
        if fnmatch.fnmatch(case.id, pattern) and not (rounds and (case.tight or OUT_OF_RANGE in case.id))
    ]


def judged(algorithm: Algorithm, cases: Sequence[Case]) -> list[Item]:
    """The suite's verdicts on a layer of the algorithm."""
    with np.errstate(all="ignore"):
        return judge_all(AlgorithmAdapter(algorithm), cases)


def alarms(items: Iterable[Item]) -> Iterator[str]:
    """The items that call a right layer wrong, or worse than it is."""
    for item in items:
        worse = [quantity.name for quantity in item.quantities if quantity.outcome in UNSTABLE]
        if item.verdict == "fail" or (worse and item.verdict == "pass"):
            yield f"{item.case}: {item.outcome} {', '.join(worse[:4])} {item.message}"


def main(arguments: Sequence[str]) -> int:
    """Print a line for each algorithm; 1 where there is an alarm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("algorithms", nargs="*", choices=[*ALGORITHMS, []], metavar="ALGORITHM")
    parser.add_argument("--case", default="*", metavar="PATTERN")
    chosen, found = parser.parse_args(arguments), 0
    for name in chosen.algorithms or ALGORITHMS:
        items = judged(ALGORITHMS[name], cases_for(ALGORITHMS[name], chosen.case))
        called = list(alarms(items))
        found += len(called)
        print(f"{name}: {len(items)} cases, {len(called)} alarms", *called[:20], sep="\n  ", flush=True)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
