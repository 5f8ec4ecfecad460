"""A conversion on a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bn_conformance.convert.conversion import Conversion
from bn_conformance.diff.tables import CHECKS_HEAD, check_row
from bn_conformance.report.lines import Lines
from bn_conformance.text import one_line

MOST_ROWS = 200
"""Layers that the table shows."""


def print_conversion(conversion: Conversion, console: Console) -> None:
    """Print what was carried, what to know of it, and how it was checked."""
    lines = Lines(console)
    verified = conversion.verification.verified
    style = "green" if verified else "yellow" if conversion.exit_code != 1 else "bold red"
    lines.line(f"{'✓' if verified else '▲' if conversion.exit_code != 1 else '✕'} {conversion.headline}", style)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("layer of the source", "becomes", "matched by"):
        table.add_column(heading, overflow="fold")
    table.add_column("channels", justify="right")
    for layer in conversion.layers[:MOST_ROWS]:
        cells = (layer.source.name, layer.target, layer.how, f"{layer.source.channels:,}")
        table.add_row(*(Text(lines.encodable(one_line(cell))) for cell in cells))
    console.print(table)
    if len(conversion.layers) > MOST_ROWS:
        lines.line(f"and {len(conversion.layers) - MOST_ROWS:,} more layers")
    lines.section("What to know", conversion.remarks)
    if conversion.verification.checks:
        names = f"{conversion.verification.source} and {conversion.verification.target}"
        lines.title(f"How it was checked: {names} ran the layers on the same data")
        checks = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in CHECKS_HEAD:
            checks.add_column(heading, overflow="fold")
        for check in conversion.verification.checks:
            checks.add_row(*(Text(lines.encodable(one_line(cell))) for cell in check_row(check)))
        console.print(checks)
