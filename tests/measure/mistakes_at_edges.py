"""Measures the diagnosis of mistakes beside usual edges: `python -m tests.measure.mistakes_at_edges [-n N]`.

Home-made code rarely makes its mistake alone. Each of 60 mutants has one mistake and one or two of the usual edges. The
mistake must be named first; what is said of the edges does not count.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence

from tests.measure.diagnosed import examine_all

MISTAKES = (
    "eps-outside-root",
    "unbiased-throughout",
    "training-flag-ignored",
    "dx-past-statistics",
    "dx-without-mean-term",
    "dx-without-variance-term",
    "dgamma-is-a-mean",
    "dgamma-and-dbeta-swapped",
    "running-var-biased",
    "momentum-swapped",
    "inference-eps-missing",
    "inference-uses-batch",
    "running-statistics-swapped",
    "gamma-absolute",
    "relu-built-in",
    "statistics-per-sample",
    "mean-never-moves",
    "gradients-zero",
    "eps-added-to-running-var-in-place",
    "mode-of-the-first-call",
)
EDGES = (
    "one-value-gives-nan",
    "one-value-passes-through",
    "one-value-spoils-statistics",
    "empty-batch-spoils-statistics",
    "empty-batch-decays-statistics",
    "one-channel-broadcast",
    "dy-broadcast",
    "nan-spreads",
)
SEED, COUNT = 13, 60


def mutants() -> list[str]:
    """Names of the mutants, each `mistake+edge` or `mistake+edge+edge`; the same ones every time."""
    draw = random.Random(SEED)
    return [
        "+".join([MISTAKES[place % len(MISTAKES)], *draw.sample(EDGES, 1 + place // len(MISTAKES) % 2)])
        for place in range(COUNT)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each result as it is done, and how often the mistake was named first."""
    parser = argparse.ArgumentParser(description="how often a mistake beside usual edges is named first")
    parser.add_argument("-n", "--processes", type=int, default=1, help="how many processes share the work")
    parser.add_argument("--first", type=int, default=COUNT, help="how many of the mutants are tried")
    given = parser.parse_args(arguments)
    named, names = 0, mutants()[: given.first]
    for result in examine_all(names, given.processes):
        told = result.diagnosis.deviations if result.diagnosis is not None else ()
        named += told[:1] == result.names[:1]
        sign = "first" if told[:1] == result.names[:1] else "not first"
        print(f"{sign:9} {'+'.join(result.names):70} {result.seconds:5.1f} s  {', '.join(told)}", flush=True)
    print(f"the mistake is named first in {named} of {len(names)}")
    return 0 if named * 12 >= 11 * len(names) else 1


if __name__ == "__main__":
    sys.exit(main())
