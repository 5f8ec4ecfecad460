"""Bounds against stochastic rounding: `python -m tests.measure.stochastic_rounding` writes the table of BOUNDS.md.

The same batch is computed many times by right algorithms in an arithmetic that rounds each operation up or down at
random. That samples the errors that an order of operations can make. The largest error / bound says whether the bound
holds; the median says how far below it an ordinary error lies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median
from typing import Any
from zlib import crc32

import numpy as np
from tests.support.samples.random_samples import random_sample
from tests.support.samples.sample import Sample
from tests.support.tables_in_documents import write_table
from tests.support.worst_inputs import ALL_QUANTITIES, golden_of, reached

from bn_conformance.algorithms.algorithm import Algorithm
from bn_conformance.algorithms.gradients import folded_derivative, multiplied_out, staged
from bn_conformance.algorithms.moments import merged, welford
from bn_conformance.algorithms.sums import lanes, pairwise
from bn_reference.specification.grades import DEGRADED, STABLE, TIGHT, Grade

TABLE = "stochastic rounding"

REPETITIONS = 100
"""Times that a batch is computed: they lie side by side in the channel axis."""

OFFSETS = (0.0, 10.0)
"""Mean over deviation of the batches."""


@dataclass(frozen=True)
class Subject:
    """Right algorithms and the grade that explains them.

    Attributes:
        words: what they are, in a table.
        dtype: of the data.
        grade: of which the bound is.
        algorithms: the ways to compute.
        counts: values a channel.
    """

    words: str
    dtype: str
    grade: Grade
    algorithms: tuple[Algorithm, ...]
    counts: tuple[int, ...]


DIRECT = (
    Algorithm(add=pairwise),
    Algorithm(add=lanes(8), backward=multiplied_out),
    Algorithm(add=pairwise, moments=merged, backward=staged),
    Algorithm(add=lanes(4), moments=welford),
)
FOLDED = (
    Algorithm(add=pairwise, folded=True),
    Algorithm(add=lanes(8), folded=True, backward=folded_derivative),
)
PATHS = (Algorithm(add=pairwise, rounds="paths"),)
NARROW = (Algorithm(add=lanes(4), rounds="everything"),)

IN_STORAGE = replace(DEGRADED[-1], safety=2.0)
"""All arithmetic in 16 bits: C is 1 there, and an error of stochastic rounding is up to 2u, so that it is 2 here."""

SUBJECTS = (
    Subject("float32, tight", "float32", TIGHT, DIRECT, (2, 16, 128, 1024)),
    Subject("float32, stable: folded", "float32", STABLE, FOLDED, (2, 16, 128, 1024)),
    Subject("float16 in float32, stable: rounded paths", "float16", STABLE, PATHS, (2, 16, 128)),
    Subject("float16 in float16, storage precision", "float16", IN_STORAGE, NARROW, (2, 16, 128)),
    Subject("bfloat16 in bfloat16, storage precision", "bfloat16", IN_STORAGE, NARROW, (2,)),
)
"""Whom the table is about."""


def single(dtype: str, count: int, offset: float) -> Sample:
    """A random batch of one channel."""
    return random_sample(
        count, dtype, channels=1, count=count, kinds=("normal",), offset=offset, scale=1.0, eps=2.0**-10
    )


def repeated(one: Sample) -> Sample:
    """The batch in every channel."""
    names = ("x", "dy", "gamma", "beta", "running_mean", "running_variance")
    fields: dict[str, Any] = {name: np.repeat(getattr(one, name), REPETITIONS, axis=0) for name in names}
    return replace(one, **fields)


def ratios(subject: Subject, quantity: str, count: int) -> Iterator[float]:
    """Error / bound of each repetition that is judged."""
    for offset in OFFSETS:
        one = single(subject.dtype, count, offset)
        sample, expected = repeated(one), golden_of(one, quantity)
        if not expected.bound(subject.grade).meaningful.all():
            continue
        for place, algorithm in enumerate(subject.algorithms):
            seed = crc32(f"{quantity} {count} {offset} {place}".encode())
            yield from reached(subject.grade, replace(algorithm, stochastic=seed), sample, quantity, expected)


@dataclass(frozen=True)
class Spread:
    """Of error / bound the largest and the median, and how many there are."""

    largest: float
    middle: float
    judged: int


def spread(subject: Subject, quantity: str, count: int) -> Spread:
    """Over all repetitions; NaN where the bound is vacuous."""
    found = list(ratios(subject, quantity, count))
    return Spread(max(found), median(found), len(found)) if found else Spread(float("nan"), float("nan"), 0)


def table() -> list[str]:
    """The largest and the median error / bound, as a Markdown table."""
    words = [name.replace("inference_", "inference ").replace("running_", "running ") for name in ALL_QUANTITIES]
    lines = ["| computed | n | " + " | ".join(words) + " |", "|" + "---|" * (len(words) + 2)]
    for subject in SUBJECTS:
        lines += [row(subject, count) for count in subject.counts]
    return lines


def row(subject: Subject, count: int) -> str:
    """The line of the table of some algorithms and a count."""
    cells = [_cell(spread(subject, quantity, count)) for quantity in ALL_QUANTITIES]
    return "| ".join([f"| {subject.words} ", f"{count} ", *(f"{cell} " for cell in cells)]) + "|"


def _cell(found: Spread) -> str:
    return f"{found.largest:.1g} / {found.middle:.1g}" if found.judged else "not judged"


if __name__ == "__main__":
    write_table(TABLE, table())
