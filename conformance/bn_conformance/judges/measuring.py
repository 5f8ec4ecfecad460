"""Judges all deviations and all right algorithms by several suites, in several processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

from bn_conformance.algorithms.algorithm import ALGORITHMS
from bn_conformance.algorithms.layer import AlgorithmLayer
from bn_conformance.hosting.orphan import end_with_parent
from bn_conformance.judges.own import NAME, OwnJudge
from bn_conformance.judges.suite import Suite, suites
from bn_conformance.judges.verdict import SuiteJudge, Word
from bn_conformance.mutation.measuring import available_cpus
from bn_reference.deviations import catalogue

CHUNK = 72
"""Deviations that a process is given at a time."""


@dataclass(frozen=True)
class SuiteVerdicts:
    """What a suite says.

    Attributes:
        name: of the suite.
        deviations: its word on each deviation, by name.
        alarms: the right algorithms that it fails.
        algorithms: how many right algorithms it was asked about.
    """

    name: str
    deviations: Mapping[str, Word]
    alarms: tuple[str, ...]
    algorithms: int

    def count(self, word: Word) -> int:
        """How many deviations it says this of."""
        return sum(said is word for said in self.deviations.values())


Part = tuple[str, tuple[str, ...], tuple[str, ...]]
"""A suite, deviations and right algorithms."""


def judge_by(names: Sequence[str], deviations: Sequence[str], processes: int = 0) -> Iterator[float | SuiteVerdicts]:
    """Judge by suites.

    Args:
        names: of suites, `bnconform` among them or not.
        deviations: names.
        processes: how many; 0 is one a core. One judges here.

    Yields:
        The share of the work that is done, from 0 to 1, after each piece; at last the verdicts of each suite in order.
    """
    chunks = [tuple(deviations[start : start + CHUNK]) for start in range(0, len(deviations), CHUNK)]
    algorithms = tuple(ALGORITHMS)
    parts: list[Part] = [(name, chunk, ()) for name in names for chunk in chunks]
    parts += [(name, (), algorithms[half::2]) for name in names for half in range(2)]
    parts.sort(key=lambda part: part[0] != NAME)  # the longest first
    words: dict[str, dict[str, Word]] = {name: {} for name in names}
    alarms: dict[str, list[str]] = {name: [] for name in names}
    for number, (name, said, failed) in enumerate(_judged(parts, processes), 1):
        words[name] |= said
        alarms[name] += failed
        yield number / len(parts)
    for name in names:
        in_order = {deviation: words[name][deviation] for deviation in deviations}
        yield SuiteVerdicts(name, in_order, tuple(sorted(alarms[name], key=algorithms.index)), len(algorithms))


Judged = tuple[str, dict[str, Word], list[str]]


def _judged(parts: Sequence[Part], processes: int) -> Iterator[Judged]:
    count = min(processes or available_cpus(), len(parts))
    if count <= 1:
        yield from map(_judge_part, parts)
        return
    with ProcessPoolExecutor(count, get_context("spawn"), end_with_parent, (os.getpid(),)) as pool:
        for future in as_completed([pool.submit(_judge_part, part) for part in parts]):
            yield future.result()


_own: list[OwnJudge] = []
_judges: dict[str, SuiteJudge] = {}


def _judge_part(part: Part) -> Judged:
    name, deviations, algorithms = part
    if name == NAME:
        if not _own:
            _own.append(OwnJudge())
        own = _own[0]
        said = {deviation: own.of_deviation(catalogue()[deviation]) for deviation in deviations}
        return name, said, [each for each in algorithms if own.fails(ALGORITHMS[each])]
    judge = _judges.setdefault(name, SuiteJudge(suites()[name]))
    said = {deviation: judge.of_deviation(catalogue()[deviation]) for deviation in deviations}
    return name, said, [each for each in algorithms if fails_algorithm(judge, each)]


def fails_algorithm(judge: SuiteJudge, name: str) -> bool:
    """Whether a suite fails a right algorithm."""
    algorithm, suite = ALGORITHMS[name], judge.suite
    return judge.of_layer(lambda config: AlgorithmLayer(algorithm, config, suite.convention)) is Word.CAUGHT


def rows_of(chosen: Sequence[Suite]) -> list[str]:
    """Names of what is judged by: the suites, and this one last."""
    return [*(suite.name for suite in chosen), NAME]
