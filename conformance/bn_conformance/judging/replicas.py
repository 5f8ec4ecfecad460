"""Judges the running statistics of the replicas that a batch was shared among: each holds those of the whole batch."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.judging.arrays import fault, judge_statistic
from bn_conformance.judging.clauses import OF_REPLICAS, judged_clauses
from bn_conformance.judging.context import StepContext
from bn_conformance.judging.pairs import NAMES
from bn_conformance.judging.statistics import comparable_pair, span_of
from bn_conformance.results.records import Quantity
from bn_conformance.text import counted
from bn_reference.definition.state import Statistics


def judge_replicas(step: StepContext) -> Iterator[Quantity]:
    """Judge the running statistics of each replica but the first, whose are those of the layer.

    They are judged from the statistics that the layer had before the step, under the bounds of the whole batch.
    """
    replicas, shards = step.observation.replicas, step.step.shards or ()
    before = comparable_pair(step.context, span_of(step)[0])
    if replicas is None or before is None or not step.moves:
        return
    clauses = judged_clauses(step.case, OF_REPLICAS)
    if len(replicas) != len(shards):
        given = f"{counted(len(replicas), 'replica')} for {counted(len(shards), 'shard')}"
        yield fault(f"{step.name}.replicas", f"there are running statistics of {given}", clauses)
        return
    expected = step.golden.golden.updated(Statistics.known(*before, updates=step.updates))
    for place, pair in enumerate(replicas[1:], 1):
        for name, got in zip(NAMES, pair, strict=True):
            yield judge_statistic(step.context, f"{step.name}.shard{place}.{name}", expected[name], got, clauses)
