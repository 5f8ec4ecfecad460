"""Writes `docs/known-faults.md`: every known fault by framework, with its versions and the command that shows it.

`python docs/faults.py` writes it anew from known_faults.toml; a test says when it must.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from bn_conformance.implementations.implementation import Implementation
from bn_conformance.implementations.known_faults import KnownFault, shipped
from bn_conformance.implementations.registry import registered
from bn_conformance.results.records import split_id
from bn_conformance.targets.loading import load_adapter

PAGE = Path(__file__).with_name("known-faults.md")

HEAD = """# Known faults by framework

Each row is a fault that the matrix finds, as `known_faults.toml` lists it. The command writes a script that shows it in
the framework alone, with exact numbers, and runs it; a test does so for every row. [Findings](findings.md) tells what
matters most of it.

This page is written by `python docs/faults.py`.
"""


def page() -> str:
    """The page as Markdown."""
    known = registered()
    by_package: dict[str, list[KnownFault]] = {}
    for fault in shipped():
        by_package.setdefault(_package(known[split_id(fault.example)[0]]), []).append(fault)
    lines = [HEAD]
    for package in sorted(by_package):
        lines += [f"## {package}", "", *_table(by_package[package]), ""]
    return "\n".join(lines)


def _package(implementation: Implementation) -> str:
    """The distribution that is judged first of all."""
    adapter = load_adapter(implementation.target)
    return (adapter.distributions or adapter.requires)[0]


def _table(faults: Iterable[KnownFault]) -> Iterator[str]:
    """One row for each reason; entries that differ in their cases alone share one."""
    rows: dict[str, list[KnownFault]] = {}
    for fault in faults:
        rows.setdefault(fault.reason, []).append(fault)
    yield "| what it does | where | seen with | shown by | tracked |"
    yield "|---|---|---|---|---|"
    for reason, alike in rows.items():
        names = ", ".join(dict.fromkeys(f"`{fault.implementation}`" for fault in alike))
        versions = dict.fromkeys(f"{name} {wanted}" for fault in alike for name, wanted in fault.versions.items())
        platforms = dict.fromkeys(fault.platform for fault in alike if fault.platform)
        seen = ", ".join([*versions, *platforms]) or "the pinned versions"
        link = next((fault.link for fault in alike if fault.link), "")
        cells = [_escaped(reason), names, _escaped(seen), f"`bnconform repro '{alike[0].example}'`", _linked(link)]
        yield f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Text without what Markdown reads as markup."""
    for sign in "\\`*_<>[]|":
        text = text.replace(sign, f"\\{sign}")
    return text


def _linked(link: str) -> str:
    return f"[{'/'.join(link.split('/')[-4:])}]({link})" if link else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
