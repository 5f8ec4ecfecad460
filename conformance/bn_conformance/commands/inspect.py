"""`bnconform list` and `bnconform show`: what there is to judge, and by what."""

from __future__ import annotations

import click

from bn_conformance.catalogue import all_cases, large_cases
from bn_reference.specification.clauses import clauses as all_clauses

NARROWEST_TABLE = 80
"""Columns below which a table is not squeezed further: a name cut short is worse than a line that wraps."""


def list_(cases: bool, clauses: bool, clause: tuple[str, ...]) -> int:
    """Print implementations, cases or clauses."""
    if cases and clauses:
        raise click.UsageError("--cases and --clauses contradict each other; give one")
    if clause and not cases:
        raise click.UsageError("--clause goes with --cases")
    if clauses:
        for entry in all_clauses().values():
            click.echo(f"{entry.id:10} {entry.requirement:7} {entry.text}")
    elif cases:
        _list_cases(clause)
    else:
        _list_implementations()
    return 0


def _list_cases(clause: tuple[str, ...]) -> None:
    from bn_conformance.catalogue.selection import SelectionError, select_cases

    try:
        selected = select_cases(clause, ())
    except SelectionError as error:
        raise click.UsageError(str(error)) from None
    large = [case for case in large_cases().values() if not clause or {*case.clauses, case.family} & {*clause}]
    for case in [*(all_cases()[case_id] for case_id in selected), *large]:
        click.echo(f"{case.id:52} {' '.join(case.clauses):24} {case.title}")
    named = f", and {len(large)} large ones, which run only where --case names them" if large else ""
    click.echo(f"{len(selected)} cases{named}")


def _list_implementations() -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bn_conformance.implementations.registry import registered

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("implementation", "status", "group"):
        table.add_column(heading, no_wrap=True)
    table.add_column("versions", overflow="fold")
    for entry in registered().values():
        versions = ", ".join(f"{name} {version}" for name, version in entry.versions.items())
        table.add_row(*(Text(part) for part in (entry.name, entry.status, entry.group, versions or entry.message)))
    console = Console()
    console.width = max(console.width, NARROWEST_TABLE)
    console.print(table)


def show(case: str, implementation: str) -> int:
    """Print a case: what it tests, its data, and code to paste."""
    from bn_conformance.commands.case_page import describe

    if case.endswith(".json"):
        click.echo(_described_file(case, implementation))
        return 0
    known = all_cases() | large_cases()
    if case not in known:
        near = [case_id for case_id in known if case in case_id][:5]
        hint = f"; did you mean {', '.join(near)}?" if near else "; bnconform list --cases shows them"
        raise click.UsageError(f"there is no case {case!r}{hint}")
    click.echo(describe(known[case], implementation))
    return 0


def _described_file(path: str, implementation: str) -> str:
    from bn_conformance.catalogue.regressions import RegressionError, read
    from bn_conformance.commands.case_page import describe

    try:
        return describe(read(path), implementation, path)
    except RegressionError as error:
        raise click.UsageError(str(error)) from None
