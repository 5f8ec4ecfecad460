"""How often the judge calls a right implementation wrong: `python -m tests.measure.false_alarms` prints the count.

Every algorithm of `algorithms.ALGORITHMS` computes every output of a layer on data of a thousand seeds a format, and
the suite's own judge gives the level. Seeds lie side by side in the channel axis, each channel with a kind of data, an
offset and a scale of its own, so that a thousand of them cost a few calls. An alarm is a seed of which some output is
judged worse than the grade that the algorithm promises, `tight` or `stable`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from tests.support.judge_samples import expected_of, level, ratio
from tests.support.samples.random_samples import KINDS, rows_of
from tests.support.samples.sample import Sample

from bn_conformance.algorithms.algorithm import ALGORITHMS, Algorithm
from bn_conformance.algorithms.outputs import Outputs, outputs
from bn_conformance.cases.recipes import RowsOfData, dtype_of
from bn_reference.arithmetic.formats import FORMATS
from bn_reference.bounds.bound import Bound
from bn_reference.golden.expected import Expected
from bn_reference.specification.grades import STABLE, TIGHT, Grade

SEEDS = 1000

COUNTS = (1, 2, 7, 16, 33, 100, 257, 1000)
"""Values a channel; seeds are dealt out over them."""

EPS = (2.0**-10, 1e-5, 1e-3, 0.25)

FORMAT_PAIRS = (
    ("float16", "float16"),
    ("bfloat16", "bfloat16"),
    ("float32", "float32"),
    ("float64", "float64"),
    ("float16", "float32"),
    ("bfloat16", "float32"),
)
"""Formats of x and of the parameters."""

OFFSETS = {"float16": (0.0, 1.0, 10.0, 1e3)}
SCALES = {"float16": (1.0, 2.0**-6, 2.0**4)}
WIDE_OFFSETS = (0.0, 10.0, 1e3, 1e6)
WIDE_SCALES = (1.0, 2.0**-10, 2.0**10)
"""Mean over deviation, and the deviation, as the format allows."""

LARGEST_CONDITION = 1e5
"""Mean over deviation in inference near the running mean; beyond, a folded dgamma has lost its digits in float32."""

Judged = tuple[Sample, Mapping[str, Expected]]


@dataclass(frozen=True)
class Tally:
    """What one algorithm came to in one pair of formats.

    Attributes:
        seeds: on how many seeds it ran.
        alarms: how many of them were called wrong.
        worst: largest error over what the promised grade allows.
        where: the first alarm: quantity, channel and data.
    """

    seeds: int = 0
    alarms: int = 0
    worst: float = 0.0
    where: str = ""


def samples(dtype: str, parameter_dtype: str, seeds: int = SEEDS, counts: tuple[int, ...] = COUNTS) -> Iterator[Sample]:
    """One sample for each count, a channel for each seed; every seed of `range(seeds)` occurs once."""
    for place, count in enumerate(counts):
        mine = range(place, seeds, len(counts))
        if mine:
            yield _sample(dtype, parameter_dtype, count, EPS[place % len(EPS)], mine)


def _sample(dtype: str, parameter_dtype: str, count: int, eps: float, seeds: range) -> Sample:
    """Channels with data of a seed each; what kind of data, which offset and scale, follows from the seed."""
    parts = [_channel(dtype, count, seed) for seed in seeds]
    x, dy = (np.stack([part[place] for part in parts]) for place in (0, 1))
    random = np.random.default_rng([count, len(seeds), len(dtype)])
    channels, known = len(seeds), FORMATS[parameter_dtype]

    def kept(values: RowsOfData, name: str) -> RowsOfData:
        return np.asarray(values.astype(dtype_of(name)).astype(np.float64))

    x = kept(x, dtype)
    assert np.all(np.isfinite(x)), f"data overflow in {dtype}"
    spread = np.clip(x.var(axis=1), known.smallest_normal, known.largest / 4)
    mean = x[:, 0] * random.uniform(0.5, 1.5, channels)
    if dtype == "float16":  # nor does a normalised value times dy
        spread = np.maximum(spread, np.square(x.mean(axis=1) / LARGEST_CONDITION))
        mean = x.mean(axis=1) + np.sqrt(spread) * random.normal(size=channels)
    return Sample(
        name=f"{dtype}-p-{parameter_dtype}/n={count}/eps={eps:g}",
        dtype=dtype,
        parameter_dtype=parameter_dtype,
        eps=eps,
        x=x,
        dy=kept(dy, dtype),
        gamma=kept(random.choice([-1.0, 1.0], channels) * random.uniform(0.2, 3.0, channels), parameter_dtype),
        beta=kept(random.choice([0.0, 1.0, 10.0], channels) * random.normal(size=channels), parameter_dtype),
        running_mean=kept(mean, parameter_dtype),
        running_variance=kept(spread * random.uniform(0.5, 1.5, channels), parameter_dtype),
    )


def _channel(dtype: str, count: int, seed: int) -> tuple[RowsOfData, RowsOfData]:
    """x and dy of one seed, each of shape (n,)."""
    random = np.random.default_rng([seed, len(dtype), ord(dtype[0])])
    kind = KINDS[int(random.integers(len(KINDS)))]
    offset = float(random.choice(OFFSETS.get(dtype, WIDE_OFFSETS))) * float(random.choice([-1.0, 1.0]))
    scale = float(random.choice(SCALES.get(dtype, WIDE_SCALES)))
    rows = rows_of(random, kind, 1, count)[0]
    if kind == "outlier":  # never in front, where it would be the shift of `shifted_two_pass`
        rows = np.where(np.arange(count) == count - 1, rows.max(), 0.0)
    x = scale * (offset + rows)
    largest = 8.0 if dtype == "float16" else 64.0  # no product of dy leaves float16 where it is stored in it
    dy = random.choice([1.0, 1 / 64, largest]) * (random.normal(size=count) + random.choice([0.0, 1.0]))
    return x, np.asarray(dy)


def applies(algorithm: Algorithm, dtype: str) -> bool:
    """Rounding of paths is for formats that are narrower than the arithmetic."""
    return algorithm.rounds == "result" or dtype in ("float16", "bfloat16")


def tally(algorithm: Algorithm, judged: Iterable[Judged]) -> Tally:
    """Judge all outputs of an algorithm on samples."""
    found, grade = Tally(), TIGHT if algorithm.grade == "tight" else STABLE
    for sample, expected in judged:
        got = outputs(algorithm, sample)
        alarms: dict[int, str] = {}
        for name, channel in _called_wrong(grade, expected, got):
            alarms.setdefault(channel, f"{name}, channel {channel} of {sample.name}")
        worst = max(ratio(expected[name], values, grade) for name, values in got.items())
        found = Tally(
            found.seeds + sample.channels,
            found.alarms + len(alarms),
            max(found.worst, worst),
            found.where or next(iter(alarms.values()), ""),
        )
    return found


def _called_wrong(grade: Grade, expected: Mapping[str, Expected], got: Outputs) -> Iterator[tuple[str, int]]:
    """The outputs, and channels (one a seed), that are judged worse than promised."""
    allowed = ("exact", "tight", "not-judged", *(("stable",) if grade is STABLE else ()))
    for name, values in got.items():
        if level(name, expected[name], values) in allowed:
            continue
        for channel in range(values.shape[0]):
            if level(name, one_channel(expected[name], channel), values[channel : channel + 1]) not in allowed:
                yield name, channel


def one_channel(expected: Expected, channel: int) -> Expected:
    """The golden of one channel, with its bounds."""
    part, uncut = slice(channel, channel + 1), expected.uncut

    def of_one(bound: Callable[[Grade], Bound]) -> Callable[[Grade], Bound]:
        return lambda grade: Bound(bound(grade).allowed[part], bound(grade).meaningful[part])

    return Expected(expected.values[part], of_one(expected.bound), uncut=None if uncut is None else of_one(uncut))


def judged_samples(dtype: str, parameter_dtype: str, seeds: int = SEEDS) -> list[Judged]:
    """The samples of a pair of formats with their goldens."""
    return [(sample, expected_of(sample)) for sample in samples(dtype, parameter_dtype, seeds)]


def table(
    algorithms: Mapping[str, Algorithm], pairs: Iterable[tuple[str, str]] = FORMAT_PAIRS, seeds: int = SEEDS
) -> dict[tuple[str, str], Tally]:
    """Tallies by algorithm and format."""
    tallies = {}
    for dtype, parameter_dtype in pairs:
        judged = judged_samples(dtype, parameter_dtype, seeds)
        slug = dtype if dtype == parameter_dtype else f"{dtype}+{parameter_dtype}"
        for name, algorithm in algorithms.items():
            if applies(algorithm, dtype):
                tallies[name, slug] = tally(algorithm, judged)
    return tallies


def lines(tallies: Mapping[tuple[str, str], Tally]) -> list[str]:
    """The table as text: alarms and the largest share of what the promised grade allows, by algorithm and format."""
    formats = list(dict.fromkeys(slug for _, slug in tallies))
    text = [" " * 34 + "".join(f"{slug:>18s}" for slug in formats)]
    for name in dict.fromkeys(name for name, _ in tallies):
        cells = (tallies.get((name, slug)) for slug in formats)
        text.append(f"{name:34s}" + "".join(f"{f'{c.alarms} ({c.worst:.2f})' if c else '-':>18s}" for c in cells))
    runs, alarms = sum(c.seeds for c in tallies.values()), sum(c.alarms for c in tallies.values())
    text += [f"{name}, {slug}: {tally.where}" for (name, slug), tally in tallies.items() if tally.alarms]
    text.append(
        f"{len({name for name, _ in tallies})} right implementations, {runs} seeds judged, false alarms: {alarms}"
    )
    return text


def main() -> int:
    """Print the table; 1 where there is an alarm."""
    tallies = table(ALGORITHMS)
    print("\n".join(lines(tallies)))
    return int(any(tally.alarms for tally in tallies.values()))


if __name__ == "__main__":
    raise SystemExit(main())
