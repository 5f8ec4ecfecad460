"""Synthetic results for a test, built by hand: cases, items, quantities, and all records of a file.

The numbers are invented; only their shapes are like those of a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tests.support.sample_declarations import (
    CLAUSES,
    TORCH,
)

from bn_conformance.results.file import Results
from bn_conformance.results.records import (
    CaseInfo,
    ClauseInfo,
    Diagnosis,
    End,
    Environment,
    Header,
    Item,
    Quantity,
    Record,
    StaleFault,
)

HOSTILE = "<script>alert(1)</script>"

HOSTILE_TEXT = (
    f"{HOSTILE}\"'>&amp;|`*[link](https://example.invalid)\x1b[31m\x00\u202e[bold]{{{{ 7*7 }}}}\ud800\nsecond line"
)

HOSTILE_NAME = f"third.party{HOSTILE}"


def case(name: str, *clauses: str, family: str | None = None, requirement: str = "MUST", **axes: Any) -> CaseInfo:
    """A case; its family is that of its first clause."""
    family = family or clauses[0].partition("-")[0]
    return CaseInfo(
        id=name, family=family, title=f"{family} {name}", clauses=clauses, requirement=requirement, axes=axes
    )


def item(implementation: str, case: str, outcome: str = "tight", verdict: str = "pass", **fields: Any) -> Item:
    """An item with one quantity of the same outcome, unless `quantities` are given."""
    if "quantities" not in fields and outcome in ("exact", "tight", "stable", "wrong"):
        fields["quantities"] = (quantity(outcome=outcome, ratio={"wrong": 1e3, "stable": 3.0}.get(outcome, 0.25)),)
    return Item(implementation=implementation, case=case, outcome=outcome, verdict=verdict, **fields)


def quantity(name: str = "step0.y", outcome: str = "tight", ratio: float | None = 0.25, **fields: Any) -> Quantity:
    """A quantity with a worst element."""
    defaults: dict[str, Any] = {
        "clauses": ("FWD-1",),
        "error": None if ratio is None else ratio * 1e-7,
        "bound": 1e-7,
        "ulp": 1.5,
        "index": (1, 0, 2),
        "expected": 0.5,
        "got": 0.5000001,
        "judged": 300,
        "total": 300,
    }
    return Quantity(name=name, outcome=outcome, ratio=ratio, **(defaults | fields))


def off_by_three_percent() -> Quantity:
    """A running variance of 1.03 where 1 is expected: wrong, 50,000 times over what is allowed."""
    where = {"clauses": ("STAT-3",), "index": (2,)}
    return quantity("step0.running_var", "wrong", 5e4, error=0.03, expected=1.0, got=1.03, **where)


def results(
    items: Iterable[Item] = (),
    *,
    cases: Sequence[CaseInfo] = (),
    environments: Sequence[Environment] | None = None,
    planned: Sequence[str] | None = None,
    stale_faults: Sequence[StaleFault] = (),
    diagnoses: Sequence[Diagnosis] = (),
    end: End | None = None,
    cut_off: bool = False,
    suite: str = "0.1.0",
    path: str = "results.jsonl",
    **header: Any,
) -> Results:
    """Results with all that the items name: implementations, cases and plan, unless they are given."""
    items = tuple(items)
    names = tuple(dict.fromkeys(item.implementation for item in items))
    if environments is None:
        environments = tuple(Environment(implementation=name, status="ok", convention=TORCH) for name in names)
    known = {case.id for case in cases}
    others = dict.fromkeys(item.case for item in items if item.case not in known)
    fields: dict[str, Any] = {
        "machine": {"system": "Linux", "processor": "x86_64", "python": "3.11.7"},
        "options": {"level": "degraded", "profile": "default", "seed": 0},
    } | header
    return Results(
        path=path,
        header=Header(
            suite=suite,
            created="2025-11-23T22:00:00+00:00",
            implementations=tuple(
                dict.fromkeys([*(environment.implementation for environment in environments), *names])
            ),
            cases=(*cases, *(case(name, "FWD-1") for name in others)),
            clauses=tuple(
                ClauseInfo(id=name, family=name.partition("-")[0], requirement=requirement, text=text)
                for name, requirement, text in CLAUSES
            ),
            planned=tuple(item.id for item in items) if planned is None else tuple(planned),
            **fields,
        ),
        environments=tuple(environments),
        items=items,
        stale_faults=tuple(stale_faults),
        diagnoses=tuple(diagnoses),
        end=None if cut_off else end or End(exit_code=0, seconds=12.5),
    )


def records(results: Results) -> list[Record]:
    """The records of results, as a run writes them."""
    end = [results.end] if results.end else []
    return [results.header, *results.environments, *results.items, *results.stale_faults, *results.diagnoses, *end]
