"""The scripts of the known faults that only large cases show: `python -m tests.measure.large_repros` takes minutes."""

from __future__ import annotations

import sys

from tests.support.own_process import process_with
from tests.support.repros import entries, shown


def main() -> int:
    """Say of each entry whether its script shows the fault; 1 where one does not."""
    bad = 0
    for entry in entries(large=True):
        with process_with(entry.implementation.environment) as call:
            said = call(shown, entry.implementation.name, entry.cases)
        print(entry.id, said or "shows the fault", flush=True)
        bad += bool(said)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
