"""`bnconform list`: implementations, cases and clauses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.command_line import called

from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.commands.list import list_implementations
from bn_conformance.implementations import registry
from bn_conformance.implementations.implementation import NOT_INSTALLED
from bn_reference.specification.clauses import families


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_list_cuts_no_name_short_on_any_terminal(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = {
        name: replace(entry, status=NOT_INSTALLED, versions={}, message="words " * 30)
        for name, entry in registry.registered().items()
    }
    monkeypatch.setattr(registry, "registered", lambda: entries)
    monkeypatch.setenv("COLUMNS", columns)
    list_implementations()
    rows = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    for name, described in entries.items():
        assert [name, NOT_INSTALLED, "yes" if described.group == "default" else "if"] in rows


def test_cases_come_in_the_order_of_the_families(tmp_path: Path) -> None:
    lines = called(tmp_path, "list", "--cases").stdout.splitlines()
    listed = [(all_cases() | large_cases())[line.split()[0]].family for line in lines if "/" in line.split()[0]]
    assert list(dict.fromkeys(listed)) == list(families())
    assert listed == sorted(listed, key=[*families()].index)
