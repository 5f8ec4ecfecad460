"""The findings of a probe, for a terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bn_conformance.implementations.implementation import Implementation
from bn_conformance.probe.finding import FAILING, Finding, Status, exit_code
from bn_conformance.text import one_line

NARROWEST_TABLE = 100
"""Width below which the table is not squeezed: a line that wraps is better than a name cut short."""

STYLES = {
    Status.AGREES: "green",
    Status.CONTRADICTS: "bold red",
    Status.FAULT: "bold red",
    Status.ERRORED: "bold red",
    Status.KNOWN: "magenta",
    Status.UNDETERMINED: "yellow",
    Status.OBSERVED: "dim",
    Status.NOT_MEASURED: "dim",
}


def print_findings(implementation: Implementation, findings: Sequence[Finding], console: Console) -> None:
    """Print the table of properties, the numbers of those that do not agree, and a line of counts."""
    console.width = max(console.width, NARROWEST_TABLE)
    console.print(Text(f"{one_line(implementation.name)}: measured from its behaviour", style="bold"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("property", no_wrap=True, overflow="fold", min_width=_widest(findings))
    for heading in ("measured", "declared"):
        table.add_column(heading, overflow="fold")
    table.add_column("agrees", no_wrap=True)
    for finding in findings:
        table.add_row(
            Text(finding.property),
            Text(one_line(finding.measured)),
            Text(one_line(finding.declared)),
            Text(agreement(finding), style=STYLES[finding.status]),
        )
    console.print(table)
    for title, wanted in (("Does not agree", FAILING), ("Known faults", {Status.KNOWN}), ("Open", _OPEN)):
        chosen = [finding for finding in findings if finding.status in wanted]
        if chosen:
            console.print(Text(title, style="bold"))
        for finding in chosen:
            clause = f" [{finding.clause}]" if finding.clause else ""
            measured = f" {one_line(finding.measured)};" if finding.measured else ""
            detail = one_line(finding.detail, 1000)
            console.print(Text(f"  {finding.property}{clause}:{measured} {detail}".rstrip("; ")), highlight=False)
    console.print(Text(summary(findings), style="bold"), highlight=False)


_OPEN = {Status.UNDETERMINED, Status.NOT_MEASURED}


def _widest(findings: Sequence[Finding]) -> int:
    return max((len(finding.property) for finding in findings), default=8)


def agreement(finding: Finding) -> str:
    """The last column: yes, no, or why neither."""
    return {Status.AGREES: "yes", Status.CONTRADICTS: "no", Status.FAULT: "no: fault", Status.ERRORED: "no: error"}.get(
        finding.status, finding.status.value
    )


def summary(findings: Sequence[Finding]) -> str:
    """One line: how many agree, contradict, and so on."""
    counts = {status: sum(finding.status is status for finding in findings) for status in Status}
    parts = [f"{count} {status.value}" for status, count in counts.items() if count]
    return ", ".join(parts) or "nothing was measured"


def findings_json(implementation: Implementation, findings: Sequence[Finding], seconds: float) -> str:
    """The findings as a JSON document."""
    document = {
        "kind": "probe",
        "implementation": implementation.name,
        "versions": dict(implementation.versions),
        "seconds": round(seconds, 3),
        "exit_code": exit_code(findings),
        "findings": [finding.to_json() for finding in findings],
    }
    return json.dumps(document, indent=2)
