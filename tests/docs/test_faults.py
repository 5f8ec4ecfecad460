"""The page of known faults is that of the file of known faults, and each of these names an item that shows it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.implementations.implementation import matches_pattern
from bn_conformance.implementations.known_faults import KnownFault, shipped
from bn_conformance.implementations.registry import registered
from bn_conformance.results.records import split_id

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("fault", [pytest.param(fault, id=str(fault.line)) for fault in shipped()])
def test_a_known_fault_names_an_item_of_its_own_that_shows_it(fault: KnownFault) -> None:
    name, case = split_id(fault.example)
    assert name in registered()
    assert matches_pattern(name, fault.implementation)
    example = (all_cases() | large_cases())[case]
    alike = [other for other in shipped() if other.reason == fault.reason] if fault.varies else [fault]
    assert any(other.covers(example) for other in alike)  # its own cases may pass on this processor


def test_the_page_is_up_to_date() -> None:
    code = "import faults; print(faults.page(), end='')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "docs", capture_output=True, encoding="utf-8", check=True
    )
    written = (ROOT / "docs" / "known-faults.md").read_text(encoding="utf-8")
    assert written == done.stdout, "run: python docs/faults.py"
