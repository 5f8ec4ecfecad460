"""What a run writes before it judges anything: the header of its results, and a record of each implementation."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from bn_conformance.catalogue.digest import digest_of
from bn_conformance.identity.fingerprint import OPEN, fingerprint
from bn_conformance.implementations.implementation import OK, Implementation
from bn_conformance.matrix.plan import Plan
from bn_conformance.results import outcomes
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import CaseInfo, ClauseInfo, Environment, Header, Item
from bn_conformance.targets.description import capabilities_to_json
from bn_reference.specification.clauses import clauses


@dataclass(frozen=True)
class Opening:
    """What stands first in a results file.

    Attributes:
        header: of the run.
        environments: one for each implementation, with its fingerprint.
        unsupported: items that are planned and not judged, as the implementations declare.
        planned: ids of the items that are to be judged.
    """

    header: Header
    environments: tuple[Environment, ...]
    unsupported: tuple[Item, ...]
    planned: tuple[str, ...]


def opening_of(plan: Plan) -> Opening:
    """What a run of a plan writes first."""
    unsupported = tuple(unsupported_items(plan))
    planned = tuple(plan.items)
    first = header(plan, [*planned, *plan.beyond_sample, *(item.id for item in unsupported)])
    known = plan.known_cases
    cases = tuple(replace(info, digest=digest_of(known[info.id])) for info in first.cases)
    environments = tuple(_with_fingerprint(plan, entry) for entry in plan.implementations)
    return Opening(replace(first, cases=cases), environments, unsupported, planned)


def unsupported_items(plan: Plan) -> Iterator[Item]:
    """The items that are planned and not run, as the implementations declare."""
    for implementation, case, reason in plan.unsupported():
        yield Item(
            implementation=implementation.name,
            case=case.id,
            outcome=outcomes.UNSUPPORTED,
            verdict=ItemVerdict.UNSUPPORTED.value,
            message=reason,
        )


def _with_fingerprint(plan: Plan, entry: Implementation) -> Environment:
    record = environment_record(entry)
    if entry.status != OK:
        return record
    parts = fingerprint(entry, plan.options.in_process)
    if plan.options.ray:
        parts |= {OPEN: "a cluster judged it, whose machines may differ"}
    return replace(record, fingerprint=parts)


def suite_version() -> str:
    """The installed version of bnconform."""
    try:
        return version("bnconform")
    except PackageNotFoundError:
        return "0+unknown"


def header(plan: Plan, planned: Sequence[str]) -> Header:
    """The header of a run: where it runs, what it was asked to do, and the ids `planned` of all its items."""
    known = plan.known_cases
    requirement = {clause.id: clause.requirement for clause in clauses().values()}
    return Header(
        suite=suite_version(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=_machine(),
        options=plan.options.to_json(),
        implementations=tuple(entry.name for entry in plan.implementations),
        cases=tuple(
            CaseInfo(
                id=case.id,
                family=case.family,
                title=case.title,
                clauses=case.clauses,
                requirement=requirement[case.clauses[0]],
                axes=case.axes,
                newer=case.id in plan.newer,
            )
            for case in (known[case_id] for case_id in plan.cases)
        ),
        clauses=tuple(
            ClauseInfo(id=clause.id, family=clause.family, requirement=clause.requirement, text=clause.text)
            for clause in clauses().values()
        ),
        planned=tuple(planned),
    )


def _machine() -> dict[str, str]:
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "byteorder": sys.byteorder,
    }


def environment_record(entry: Implementation) -> Environment:
    """What an implementation declares, and whether it can be judged."""
    ok = entry.status == OK
    return Environment(
        implementation=entry.name,
        status=entry.status,
        message=entry.message,
        versions=dict(entry.versions),
        device=entry.device,
        settings={**entry.variables(), "threads": "1"} if ok else {},
        convention=entry.convention.to_json() if ok else {},
        nonstandard=entry.convention.nonstandard() if ok else {},
        capabilities=capabilities_to_json(entry.capabilities) if ok else {},
    )
