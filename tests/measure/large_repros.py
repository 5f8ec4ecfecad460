"""The scripts of the known faults that only large cases show: `python -m tests.measure.large_repros` takes minutes."""

from __future__ import annotations

import sys

from tests.support.own_process import process_with
from tests.support.repros import shown

from bn_conformance.implementations.known_faults import shipped
from bn_conformance.implementations.registry import registered
from bn_conformance.results.records import split_id


def main() -> int:
    """Say of each entry whether its script shows the fault; 1 where one does not."""
    bad = 0
    for item in (fault.example for fault in shipped() if "/large-" in fault.example):
        with process_with(registered()[split_id(item)[0]].environment) as call:
            said = call(shown, item)
        print(item, said or "shows the fault", flush=True)
        bad += bool(said)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
