"""Publishes the cases of today as a set: `python -m tests.measure.publish_set 2026.1`."""

from __future__ import annotations

import sys
from pathlib import Path

from bn_conformance.catalogue import all_cases, large_cases
from bn_conformance.catalogue.sets import set_of

FOLDER = Path(__file__).parents[2] / "conformance" / "bn_conformance" / "catalogue" / "sets_of_cases"

if __name__ == "__main__":
    cases = [*all_cases().values(), *large_cases().values()]
    text = set_of(cases)
    assert len(text.splitlines()) == len(cases), "two ids have one digest; take more digits"
    (FOLDER / f"{sys.argv[1]}.txt").write_text(text, encoding="ascii")
