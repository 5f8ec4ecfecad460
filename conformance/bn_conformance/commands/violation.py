"""A violation that fuzz found: judged once more with its explanation, written as a regression, and shown."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click

from bn_conformance.cases.model import Case
from bn_conformance.catalogue import all_cases
from bn_conformance.catalogue.document import named_by_content
from bn_conformance.catalogue.regressions import Regression, write_regression
from bn_conformance.commands.show import describe_case
from bn_conformance.implementations.implementation import Implementation
from bn_conformance.matrix.plan import Plan
from bn_conformance.matrix.runner import Runner
from bn_conformance.report.failure import item_line, item_text
from bn_conformance.results.outcomes import ItemVerdict
from bn_conformance.results.records import Item


@dataclass(frozen=True)
class Violation:
    """The smallest case that fails.

    Attributes:
        case: named after what it holds.
        item: its record.
        path: the file of the regression.
        written: whether the file could be written.
    """

    case: Case
    item: Item
    path: str
    written: bool


def keep(plan: Plan, case: Case, item: Item, seed: int, path_of: Callable[[str], str]) -> Violation:
    """Judge the case once more, with the deviations that explain it, and write it as a regression.

    Args:
        plan: of the search; its one implementation is judged.
        case: as the search made it.
        item: its record in the search.
        seed: of the search, for people who read the file.
        path_of: the file, given the last part of the case's id.
    """
    (implementation,) = plan.implementations
    bad = [quantity.name for quantity in item.quantities if quantity.outcome == item.outcome]
    title = f"found by fuzzing: {', '.join(bad[:3]) or 'the case'} {item.outcome}"[:200]
    case = named_by_content(replace(case, title=title))
    path = path_of(case.id.rpartition("/")[2])
    item = _explained(plan, Regression(case, path), item)
    notes = {
        "implementation": implementation.name,
        "versions": dict(implementation.versions),
        "seed": seed,
        "summary": item_line(item),
        "explained_by": list(item.explained_by or ()),
    }
    try:
        write_regression(Path(path), case, notes)
    except OSError as error:
        click.echo(f"the regression cannot be written to {path} ({error.strerror}); name another with --out", err=True)
        return Violation(case, item, path, written=False)
    return Violation(case, item, path, written=True)


def _explained(plan: Plan, regression: Regression, item: Item) -> Item:
    """The record of a repeat that looks for explaining deviations; the first record where the repeat does not fail."""
    from bn_conformance.diagnosis.explaining import explaining  # loads the catalogue of deviations

    (implementation,), case = plan.implementations, regression.case
    runner = Runner(replace(plan, regressions=(*plan.regressions, regression)))
    try:
        repeat = runner.run(implementation, case)
        runs = runner.observe(implementation, case)
    finally:
        runner.close()
    if repeat.verdict == ItemVerdict.FAIL.value:
        names = explaining(case, runs, implementation.convention, implementation.capabilities) if runs else ()
        return replace(repeat, explained_by=names)
    return replace(item, message=f"{item.message} (not seen again in a second run)".strip())


def known_fault_hint(plan: Plan, case: Case) -> str:
    """A known fault of the implementation that the matrix shows under the same clause; empty for none."""
    (implementation,), clause = plan.implementations, case.clauses[0]
    tested = [known for known in all_cases().values() if known.clauses[0] == clause]
    faults = [fault for fault in plan.faults if fault.applies_to(implementation) and any(map(fault.covers, tested))]
    if not faults:
        return ""
    return f"\nIt may be a known fault: {faults[0].reason}\nTo look past it: --without {clause}\n"


def violation_text(violation: Violation, implementation: Implementation) -> str:
    """The violation in words, the steps of its case, and code to paste."""
    lines = [item_text(violation.item, violation.case, violation.path)]
    if violation.item.explained_by:
        lines.append(f"  explained by: {', '.join(violation.item.explained_by)}")
    description = describe_case(violation.case, source=violation.path)
    lines += ["", description[description.index("Layer\n") :]]
    return "\n".join(lines).replace("IMPLEMENTATION", shlex.quote(implementation.address))


def slug(name: str) -> str:
    """A name as part of a file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "implementation"
