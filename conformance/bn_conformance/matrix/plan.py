"""The plan of a run: which implementations and cases, under which policy. Made once by the controlling process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

from bn_conformance.cases.as_declared import as_declared
from bn_conformance.cases.model import Case
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases, document, large_cases
from bn_conformance.catalogue.regressions import Regression, read_all
from bn_conformance.catalogue.selection import select_cases
from bn_conformance.catalogue.sets import newer_than, read_set
from bn_conformance.hosting.kept import kept_cache
from bn_conformance.implementations.implementation import OK, Implementation
from bn_conformance.implementations.known_faults import KnownFault, require_cases, shipped, shipped_and_own
from bn_conformance.implementations.registry import find
from bn_conformance.judging.item import reproduce
from bn_conformance.matrix.order import plain_first
from bn_conformance.matrix.sample import sampled_plain, sampled_sweeps
from bn_conformance.matrix.shards import Unit, costs_of, units_of
from bn_conformance.options import RunOptions
from bn_conformance.results.file import read_results
from bn_conformance.results.shard import Shard

Entry = tuple[Implementation, Case]
"""What an item asks."""

Entries = Mapping[str, Entry]
"""Entries by the ids of their items."""


@dataclass(frozen=True)
class Plan:
    """What is run.

    Attributes:
        options: as they were given.
        implementations: that were found.
        cases: ids of those that are selected.
        faults: that are known.
        regressions: to replay.
        cache: a directory for what frameworks compile, shared by the processes of this run; may be none.
        units: implementations and signatures of this shard; all of the run where it is none.
        left: ids of the items that are still to be judged; all of them where it is none.
        instead: ids of items outside the sample that are asked all the same, instead of what an adapter declines of it.
    """

    options: RunOptions
    implementations: tuple[Implementation, ...]
    cases: tuple[str, ...]
    faults: tuple[KnownFault, ...]
    regressions: tuple[Regression, ...] = ()
    cache: str = ""
    units: tuple[Unit, ...] | None = None
    left: tuple[str, ...] | None = None
    instead: frozenset[str] = frozenset()

    @property
    def runnable(self) -> tuple[Implementation, ...]:
        """Implementations that can be judged here."""
        return tuple(entry for entry in self.implementations if entry.status == OK)

    @property
    def items(self) -> Mapping[str, tuple[Implementation, Case]]:
        """What is to be run, by id, in the order in which it is best run: by implementation, then by signature.

        The tenth of the cases that takes more than half of the time comes last, so that a failure shows early. What
        compiles is an exception: it may forget what it compiled for other signatures between. In stages the later one
        (`later`) follows all others, and of what does not compile small cases come first, of all families in turn.
        """
        return self._sorted_out[0]

    def unsupported(self) -> list[tuple[Implementation, Case, str]]:
        """What the implementations declare not to support, with why."""
        return self._sorted_out[1]

    @property
    def beyond_sample(self) -> Mapping[str, tuple[Implementation, Case]]:
        """The cases that are not asked: those outside the sample (`matrix/sample.py`), by id of their items."""
        return self._sorted_out[2]

    @cached_property
    def _sorted_out(self) -> tuple[Entries, list[tuple[Implementation, Case, str]], Entries]:
        """What is to be run, what is not supported, and what is outside the sample."""
        items, unsupported, beyond = dict[str, Entry](), [], dict[str, Entry]()
        for implementation in self.runnable:
            cases, can = [], implementation.capabilities
            asked = replace(can, compiles=can.compiles and not self.options.thorough)
            for case in map(self.known_cases.__getitem__, self.cases):
                reason = unsupported_reason(case, asked, implementation.convention)
                if not reason:
                    cases.append(case)
                elif self._is_of_shard(implementation, case):
                    unsupported.append((implementation, case, reason))
            left_out = _outside_sample(cases, asked.compiles) if self.options.sampled else frozenset()
            left_out -= {case.id for case in cases if f"{implementation.name}::{case.id}" in self.instead}
            cases = [case for case in cases if self._is_of_shard(implementation, case)]  # of the sample of all shards
            parts = [[case for case in cases if (case.id in left_out) is out] for out in (False, True)]
            for part, chosen in zip((items, beyond), parts, strict=True):
                for case in self._in_order(chosen, can.compiles):
                    own = as_declared(case, implementation.capabilities, implementation.convention)
                    part[f"{implementation.name}::{case.id}"] = implementation, own
        return items, unsupported, beyond

    def _in_order(self, cases: list[Case], compiles: bool) -> list[Case]:
        if self.options.in_stages and not compiles:
            return plain_first(cases)
        order, empty = _first_use(case.signature for case in cases), set[str]()
        if self.options.in_stages:  # much code fails what has no data, which compiles in no time
            empty |= {case.signature for case in cases if any(0 in batch.shape for batch in case.batches)}
        rank = {signature: (signature not in empty, place) for signature, place in order.items()}
        return sorted(cases, key=lambda case: (case.long and not compiles, rank[case.signature]))

    @cached_property
    def later(self) -> frozenset[str]:
        """Ids of the items that are asked once all others are, and only where these allow it."""
        if not self.options.in_stages:
            return frozenset()
        return frozenset(item for item, (_, case) in self.items.items() if case.sweep)

    @cached_property
    def to_judge(self) -> Mapping[str, tuple[Implementation, Case]]:
        """Those of the items that an earlier run has not judged, in order."""
        left = self.items if self.left is None else frozenset(self.left)
        return {item: entry for item, entry in self.items.items() if item in left}

    def remaining(self, left: Sequence[str]) -> Plan:
        """The plan with only some items left to judge."""
        return self._sorted_alike(replace(self, left=tuple(left)))

    def with_cache(self, cache: str) -> Plan:
        """The plan with a directory for what frameworks compile."""
        return self._sorted_alike(replace(self, cache=cache))

    def _sorted_alike(self, plan: Plan) -> Plan:
        """A plan of the same items. What was sorted out is taken along, as that takes seconds for a whole matrix."""
        vars(plan)["_sorted_out"] = self._sorted_out
        return plan

    def _is_of_shard(self, implementation: Implementation, case: Case) -> bool:
        return self._unit_set is None or (implementation.name, case.signature) in self._unit_set

    @cached_property
    def _unit_set(self) -> frozenset[Unit] | None:
        return None if self.units is None else frozenset(self.units)

    @cached_property
    def known_cases(self) -> Mapping[str, Case]:
        """Every case by id: those of the matrix, the large ones, and the regressions."""
        own = {regression.case.id: regression.case for regression in self.regressions}
        return all_cases() | large_cases() | own

    @cached_property
    def newer(self) -> frozenset[str]:
        """Ids of the selected cases that came after the set that the options name; regressions come before any."""
        catalogue = all_cases() | large_cases()
        if not self.options.case_set:
            return frozenset()
        return newer_than(self.options.case_set, [catalogue[case_id] for case_id in self.cases if case_id in catalogue])

    def source(self, case: Case) -> str:
        """The file of a regression; empty for a case of the matrix."""
        return next((regression.path for regression in self.regressions if regression.case.id == case.id), "")

    def reproduce(self, implementation: Implementation, case: Case) -> str:
        """The command that judges an item again."""
        source = self.source(case)
        thorough = " --thorough" * (self.options.thorough and implementation.capabilities.compiles)
        return reproduce(implementation.address, case.id) + (f" --regressions '{source}'" if source else "") + thorough

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data, for the processes that run it."""
        return {
            "options": self.options.to_json(),
            "implementations": [entry.to_json() for entry in self.implementations],
            "cases": list(self.cases),
            "faults": [fault.to_json() for fault in self.faults],
            "regressions": [
                {"path": regression.path, "case": document.case_to_json(regression.case)}
                for regression in self.regressions
            ],
            "cache": self.cache,
            "units": self.units,
            "left": self.left,
            "instead": sorted(self.instead),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Plan:
        """The inverse of `to_json`."""
        return cls(
            RunOptions.from_json(data["options"]),
            tuple(Implementation.from_json(entry) for entry in data["implementations"]),
            tuple(data["cases"]),
            tuple(KnownFault(**fault) for fault in data["faults"]),
            tuple(Regression(document.from_json(entry["case"]), entry["path"]) for entry in data["regressions"]),
            data["cache"],
            None if data["units"] is None else tuple((name, signature) for name, signature in data["units"]),
            None if data["left"] is None else tuple(data["left"]),
            frozenset(data["instead"]),
        )


def _outside_sample(cases: Sequence[Case], compiles: bool) -> frozenset[str]:
    """Ids of the cases that are neither in the sample of plain cases nor in that of sweeps."""
    plain, sweeps = ([case for case in cases if case.sweep is sweep] for sweep in (False, True))
    first = sampled_plain(plain, compiles)
    later = sampled_sweeps(sweeps, (case for case in plain if case.id in first))
    return frozenset(case.id for case in cases) - first - later


def _first_use(signatures: Iterable[str]) -> dict[str, int]:
    order: dict[str, int] = {}
    for signature in signatures:
        order.setdefault(signature, len(order))
    return order


def make_plan(options: RunOptions, found: Sequence[Implementation] | None = None) -> Plan:
    """Find the implementations and cases that the options name.

    Args:
        options: of the run.
        found: the implementations, where the caller has them; None for those that the options name.

    Raises:
        UserError: something that they name does not exist, or cannot be read.
    """
    if options.case_set:
        read_set(options.case_set)
    faults = shipped_and_own(options.known_faults)
    regressions = read_all(options.regressions)
    cases = select_cases(options.clauses, options.cases, [regression.case for regression in regressions])
    implementations = find(options.implementations, options.device) if found is None else found
    plan = Plan(options, tuple(implementations), tuple(cases), faults, regressions, kept_cache())
    require_cases(faults[len(shipped()) :], plan.known_cases)  # a test asks it of the shipped ones
    return _shard_of(plan) if options.shard else plan


def _shard_of(plan: Plan) -> Plan:
    """The shard of a plan that its options ask for."""
    shard = Shard.parse(plan.options.shard)
    earlier = read_results(plan.options.times).items if plan.options.times else ()
    seconds = {item.id: item.seconds + item.harness_seconds for item in earlier if item.id in plan.items}
    judged = (
        (item_id, (implementation.name, case.signature)) for item_id, (implementation, case) in plan.items.items()
    )
    not_run = chain(((one, case) for one, case, _ in plan.unsupported()), plan.beyond_sample.values())
    free = {(implementation.name, case.signature): 0.0 for implementation, case in not_run}
    return replace(plan, units=units_of(shard, free | costs_of(judged, seconds)))
