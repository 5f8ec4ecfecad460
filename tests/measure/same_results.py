"""Whether two results files say the same: run as `python -m tests.measure.same_results BEFORE AFTER`.

For a change that must not change what is judged, such as moving code. It asks for more than `bnconform compare`: every
item of both files has the same outcome, requirement and quantities, and every ratio agrees to 1e-9. Items of one file
alone are counted and are no difference where `--common` is given. Exit code 1 where anything differs.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator

from bn_conformance.results.file import Results, read_results
from bn_conformance.results.records import Item, Quantity

AGREE = 1e-9
"""How far ratios may be apart, relative to the larger one."""


def differences(before: Results, after: Results, common: bool) -> Iterator[str]:
    """A line for each thing that differs."""
    old, new = ({item.id: item for item in results.items} for results in (before, after))
    for name in [] if common else sorted(old.keys() ^ new.keys()):
        yield f"{name}: only {'before' if name in old else 'after'}"
    for name in sorted(old.keys() & new.keys()):
        yield from (f"{name}: {line}" for line in _of_item(old[name], new[name]))


def _of_item(old: Item, new: Item) -> Iterator[str]:
    if (old.outcome, old.verdict) != (new.outcome, new.verdict):
        yield f"{old.outcome} ({old.verdict}) is now {new.outcome} ({new.verdict})"
    if [part.name for part in old.quantities] != [part.name for part in new.quantities]:
        yield "other quantities were judged"
        return
    for one, other in zip(old.quantities, new.quantities, strict=True):
        if (one.outcome, one.clauses, one.index) != (other.outcome, other.clauses, other.index):
            yield f"{one.name} was {one.outcome} {one.clauses}, and is {other.outcome} {other.clauses}"
        elif not _agree(one, other):
            yield f"{one.name} had the ratio {one.ratio}, and has {other.ratio}"


def _agree(one: Quantity, other: Quantity) -> bool:
    if one.ratio is None or other.ratio is None:
        return one.ratio is other.ratio
    if not (math.isfinite(one.ratio) and math.isfinite(other.ratio)):
        return repr(one.ratio) == repr(other.ratio)
    return abs(one.ratio - other.ratio) <= AGREE * max(abs(one.ratio), abs(other.ratio))


def main() -> int:
    """Compare and print; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("--common", action="store_true", help="compare only the items that both files have")
    options = parser.parse_args()
    before, after = read_results(options.before), read_results(options.after)
    found = list(differences(before, after, options.common))
    for line in found[:40]:
        print(line)
    shared = {item.id for item in before.items} & {item.id for item in after.items}
    print(f"{len(shared):,} items of both files: {len(found):,} differences")
    return 1 if found or not shared else 0


if __name__ == "__main__":
    sys.exit(main())
