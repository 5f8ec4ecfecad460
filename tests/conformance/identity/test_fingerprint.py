"""Fingerprints of targets: what is read ahead of one changes nothing of it, and is not read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from bn_conformance.identity import packages
from bn_conformance.identity.fingerprint import fingerprint, read_ahead
from bn_conformance.implementations.implementation import Implementation


def test_what_is_read_ahead_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "layers.py"
    file.write_text("import numpy\n")
    entry = Implementation(name="own", target=f"{file}:Layer", registered=False)
    before = fingerprint(entry)
    packages._state.cache_clear()  # noqa: SLF001
    read_ahead(entry.target)
    monkeypatch.setattr(packages, "_installed_at", None)
    assert fingerprint(entry) == before


@pytest.mark.parametrize("target", ["none.py:Layer", "", "kind=", "no_such_module:Layer", "+", "a=b=c.py", "\0.py"])
def test_what_cannot_be_read_ahead_is_no_error(target: str) -> None:
    read_ahead(target)
