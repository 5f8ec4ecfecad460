"""`bnconform list`: implementations, cases and clauses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bn_conformance.commands.list import list_implementations
from bn_conformance.implementations import registry
from bn_conformance.implementations.implementation import NOT_INSTALLED


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
        assert [name, NOT_INSTALLED, described.group] in rows
