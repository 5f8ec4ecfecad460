"""No bias on record has become invisible: the case that saw it still does, and the document says how small it is."""

from __future__ import annotations

import pytest
from tests.measure.unseen_bias import RANGES, TABLE, Seen, kept, key, sees, smallest_seen, table
from tests.support.biased_layers import METHODS
from tests.support.tables_in_documents import kept_table

from bn_conformance.catalogue import all_cases
from bn_conformance.mutation.bench import Bench

EXACT = "num/nc-2x8/float32/exact"


def still_seen(range_: tuple[int, int]) -> None:
    bench, on_record = Bench(), kept()
    for quantity in METHODS:
        seen = on_record[key(quantity, range_[0])]
        assert sees(bench, all_cases()[seen.case], quantity, seen.exponent, range_), f"{quantity}, {seen}"


@pytest.mark.parametrize("range_", RANGES[:3], ids=str)
def test_what_was_seen_at_short_channels_is_seen_still(range_: tuple[int, int]) -> None:
    still_seen(range_)


@pytest.mark.slow
@pytest.mark.parametrize("range_", RANGES[3:], ids=str)
def test_what_was_seen_at_long_channels_is_seen_still(range_: tuple[int, int]) -> None:
    still_seen(range_)


def test_the_smallest_bias_is_found_and_a_smaller_one_is_not_seen() -> None:
    bench, case = Bench(), all_cases()[EXACT]
    seen = smallest_seen(bench, [case], "y", (2, 8), None)
    assert seen == Seen(-24, EXACT)
    assert not sees(bench, case, "y", seen.exponent - 1, (2, 8))
    assert not sees(bench, case, "y", seen.exponent, (9, 32))
    assert smallest_seen(bench, [case], "y", (9, 32), None) is None


def test_the_document_has_the_table() -> None:
    assert kept_table(TABLE) == table(kept())
