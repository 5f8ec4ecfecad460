"""Judging layers in this process, for the tests of the suite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import count

from tests.support.good_numpy import EVERYTHING, GoodLayer, GoodNumpy

from bn_conformance.adapter import Adapter, Capabilities, Convention, Layer, LayerConfig
from bn_conformance.cases.model import Case
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases
from bn_conformance.hosting.local import LocalHost
from bn_conformance.judging.goldens import Goldens
from bn_conformance.judging.item import Policy, run_case
from bn_conformance.results.outcomes import Threshold
from bn_conformance.results.records import Item
from bn_reference.specification.clauses import clauses


@cache
def goldens() -> Goldens:
    """Goldens that the tests of one process share."""
    return Goldens()


def supported(can: Capabilities = EVERYTHING) -> tuple[Case, ...]:
    return tuple(case for case in all_cases().values() if not unsupported_reason(case, can))


def adapter_of(layer: type[GoodLayer], convention: Convention | None = None) -> Adapter:
    class Made(GoodNumpy):
        def build(self, config: LayerConfig) -> Layer:
            return layer(config)

    Made.name = layer.__name__
    Made.convention = convention or Convention()
    return Made()


def thinned(cases: Iterable[Case], part: int, parts: int = 3) -> tuple[Case, ...]:
    """All plain cases, and of the sweeps, which take most of the time, one in so many: other ones for each part."""
    sweeps = count()
    return tuple(case for case in cases if not case.sweep or next(sweeps) % parts == part)


def each_judged(adapter: Adapter, cases: Iterable[Case], level: Threshold = Threshold.DEGRADED) -> Iterator[Item]:
    """The item of each case, as it is judged."""
    policy = Policy(level, {clause.id: clause.requirement for clause in clauses().values()})
    host = LocalHost(adapter)
    return (run_case(adapter.name, case, host, adapter.convention, goldens(), policy) for case in cases)


def judge_all(adapter: Adapter, cases: Iterable[Case], level: Threshold = Threshold.DEGRADED) -> list[Item]:
    return list(each_judged(adapter, cases, level))


def failing(items: Iterable[Item]) -> list[Item]:
    return [item for item in items if item.verdict == "fail"]


def lines(items: Iterable[Item]) -> str:
    """What to show where items are not as they should be."""
    return "\n".join(f"{item.case}: {item.outcome} {item.message}" for item in items)
