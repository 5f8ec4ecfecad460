"""`bnconform list`: implementations, cases or clauses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bn_conformance.commands.declaring import SuiteCommand, run_options
from bn_conformance.user_error import UserError

if TYPE_CHECKING:
    from bn_conformance.implementations.implementation import Implementation

NARROWEST_TABLE = 80
"""Columns below which a table is not squeezed further: a name cut short is worse than a line that wraps."""


@click.command(cls=SuiteCommand)
@click.option("--cases", is_flag=True, help="Cases instead of implementations.")
@click.option("--clauses", "show_clauses", is_flag=True, help="Clauses instead of implementations.")
@run_options("clauses")
def command(cases: bool, show_clauses: bool, clauses: tuple[str, ...]) -> int:
    """List implementations, cases or clauses."""
    if cases and show_clauses:
        raise UserError("--cases and --clauses contradict each other; give one")
    if clauses and not cases:
        raise UserError("--clause selects cases; give --cases, too")
    if show_clauses:
        _list_clauses()
    elif cases:
        _list_cases(clauses)
    else:
        list_implementations()
    return 0


def _list_clauses() -> None:
    from bn_reference.specification.clauses import clauses

    for clause in clauses().values():
        click.echo(f"{clause.id:10} {clause.requirement:7} {clause.text}")


def _list_cases(clauses: tuple[str, ...]) -> None:
    from bn_conformance.catalogue import all_cases, large_cases
    from bn_conformance.catalogue.selection import select_cases
    from bn_reference.specification.clauses import families

    selected = select_cases(clauses, ())
    large = [case for case in large_cases().values() if not clauses or {*case.clauses, case.family} & {*clauses}]
    order = [*families()]
    chosen = [*(all_cases()[case_id] for case_id in selected), *large]
    for case in sorted(chosen, key=lambda case: order.index(case.family)):
        click.echo(f"{case.id:52} {' '.join(case.clauses):24} {case.title}")
    named = f", and {len(large)} large ones, which run only where --case names them" if large else ""
    click.echo(f"{len(selected)} cases{named}")


def runs_in(entry: Implementation) -> str:
    """Whether a run that names no implementation has this one."""
    return "yes" if entry.group == "default" else "if named"


def list_implementations() -> None:
    """Print a table of the registered implementations: whether each can run here, and what to install if not."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bn_conformance.implementations.registry import registered

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("implementation", "status", "in a run"):
        table.add_column(heading, no_wrap=True)
    table.add_column("versions", overflow="fold")
    for entry in registered().values():
        versions = ", ".join(f"{name} {version}" for name, version in entry.versions.items())
        table.add_row(*(Text(part) for part in (entry.name, entry.status, runs_in(entry), versions or entry.message)))
    console = Console()
    console.width = max(console.width, NARROWEST_TABLE)
    console.print(table)
