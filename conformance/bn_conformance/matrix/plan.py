"""The plan of a run: which implementations and cases, under which policy. Made once by the controlling process."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bn_conformance.cases.model import Case
from bn_conformance.cases.support import unsupported_reason
from bn_conformance.catalogue import all_cases, document, large_cases, regressions
from bn_conformance.catalogue.regressions import Regression
from bn_conformance.catalogue.selection import select_cases
from bn_conformance.implementations.known_faults import KnownFault
from bn_conformance.implementations.registry import OK, Implementation, find


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a run was asked to do, as plain data."""

    implementations: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    level: str = "degraded"
    profile: str = "default"
    results: str = ""
    device: str = "cpu"
    known_faults: tuple[str, ...] = ()
    timeout: float = 120.0
    in_process: bool = False
    regressions: tuple[str, ...] = ()


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
    """

    options: Options
    implementations: tuple[Implementation, ...]
    cases: tuple[str, ...]
    faults: tuple[KnownFault, ...]
    regressions: tuple[Regression, ...] = ()
    cache: str = ""

    @property
    def runnable(self) -> tuple[Implementation, ...]:
        """Implementations that can be judged here."""
        return tuple(entry for entry in self.implementations if entry.status == OK)

    def items(self) -> dict[str, tuple[Implementation, Case]]:
        """What is to be run, by id, in the order in which it is best run: by implementation, then by signature."""
        found = {}
        for implementation in self.runnable:
            cases = [case for case in self._selected() if not _reason(implementation, case)]
            order = _first_use(case.signature for case in cases)
            for case in sorted(cases, key=lambda case: order[case.signature]):
                found[f"{implementation.name}::{case.id}"] = implementation, case
        return found

    def unsupported(self) -> list[tuple[Implementation, Case, str]]:
        """What the implementations declare not to support, with why."""
        return [
            (implementation, case, reason)
            for implementation in self.runnable
            for case in self._selected()
            if (reason := _reason(implementation, case))
        ]

    def _selected(self) -> list[Case]:
        known = self.known_cases()
        return [known[case_id] for case_id in self.cases]

    def known_cases(self) -> Mapping[str, Case]:
        """Every case by id: those of the matrix, the large ones, and the regressions."""
        return all_cases() | large_cases() | {one.case.id: one.case for one in self.regressions}

    def source(self, case: Case) -> str:
        """The file of a regression; empty for a case of the matrix."""
        return next((one.path for one in self.regressions if one.case.id == case.id), "")

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data, for the processes that run it."""
        return {
            "options": asdict(self.options),
            "implementations": [entry.to_json() for entry in self.implementations],
            "cases": list(self.cases),
            "faults": [fault.to_json() for fault in self.faults],
            "regressions": [{"path": one.path, "case": document.to_json(one.case)} for one in self.regressions],
            "cache": self.cache,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Plan:
        """The inverse of `to_json`."""
        options: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in data["options"].items()
        }
        return cls(
            Options(**options),
            tuple(Implementation.from_json(entry) for entry in data["implementations"]),
            tuple(data["cases"]),
            tuple(KnownFault(**fault) for fault in data["faults"]),
            tuple(Regression(document.from_json(one["case"]), one["path"]) for one in data["regressions"]),
            data["cache"],
        )


def _reason(implementation: Implementation, case: Case) -> str | None:
    return unsupported_reason(case, implementation.capabilities, implementation.convention)


def _first_use(signatures: Iterable[str]) -> dict[str, int]:
    order: dict[str, int] = {}
    for signature in signatures:
        order.setdefault(signature, len(order))
    return order


def make(options: Options) -> Plan:
    """Resolve options into a plan.

    Raises:
        SelectionError: a clause or case pattern matches nothing.
        UnknownImplementation, TargetError, KnownFaultsError, RegressionError: as they say.
    """
    from bn_conformance.implementations.known_faults import load, shipped

    faults = [*shipped(), *(fault for path in options.known_faults for fault in load(path))]
    replayed = regressions.read_all(options.regressions)
    cases = select_cases(options.clauses, options.cases, [regression.case for regression in replayed])
    found = find(options.implementations, options.device)
    return Plan(options, tuple(found), tuple(cases), tuple(faults), replayed)


SEPARATOR = "#"


"""Between the implementation and the number of a block."""


def blocks(plan: Plan, count: int) -> dict[str, str]:
    """A block for each item: items of one implementation in `count` blocks of about equal size, signatures together.

    A block is what a process works on at a time, so that each signature is compiled in one process alone and one
    implementation still keeps every core busy. A signature has the same number in every implementation where sizes
    allow it, so that the goldens of its cases are computed in one process alone, too.
    """
    items, count = plan.items(), max(count, 1)
    sizes: dict[str, Counter[str]] = defaultdict(Counter)
    for implementation, case in items.values():
        sizes[implementation.name][case.signature] += 1
    homes = _placed(sum(sizes.values(), Counter[str]()), count, {})
    places = {name: _placed(own, count, homes) for name, own in sizes.items()}
    return {
        item_id: f"{implementation.name}{SEPARATOR}{places[implementation.name][case.signature]}"
        for item_id, (implementation, case) in items.items()
    }


def _placed(sizes: Counter[str], count: int, homes: Mapping[str, int]) -> dict[str, int]:
    """A number for each signature: its home where that has room, else where there is least."""
    loads, places = [0] * count, dict[str, int]()
    room = 1.1 * (sizes.total() + OF_ONE_SIGNATURE * len(sizes)) / count
    for signature, size in sizes.most_common():
        load, home = size + OF_ONE_SIGNATURE, homes.get(signature)
        place = loads.index(min(loads)) if home is None or loads[home] + load > room else home
        loads[place] += load
        places[signature] = place
    return places


OF_ONE_SIGNATURE = 10


"""What a signature costs beside its items, as if they were so many: it may have to be compiled."""
