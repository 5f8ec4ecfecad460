"""NUM-8: spikes where blocks of a sum meet, so that one value that is dropped or counted twice there shows.

Beyond some thousand values one of them is less than the error that a sum may have. A spike is not: each is about a
hundredth of the variance, whatever the number of values. The values are integers whose sum is 0 and whose squares sum
to less than 2**24, so that a direct sum is exact in any order. An updating one (Welford) divides by every count up to n
and is not, so that these cases have the bounds of any others, which grow with the root of n.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import Case
from bn_conformance.cases.recipes import DataRecipe
from bn_conformance.catalogue.build import DY, KNOWN, evaluate, train
from bn_conformance.catalogue.exact import LONG
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16_WIDE, F64, NC, NHWC, Place

FAMILY = Family("NUM", order=95)

SPIKES = DataRecipe(kind="seams", scale=32.0)
"""Some eighty spikes of 32 are most of the sum of squares of 10,000 values."""

COMPILED = NHWC.resized(2, 33, 32, 3)
"""A long place that other cases have, too: implementations that compile run it."""

PLACES = (COMPILED, *LONG, NHWC.resized(2, 80, 61, 2), LONG[0].of(F64), NC.resized(10000, 2).of(BF16_WIDE))


def cases() -> Iterator[Case]:
    """Every case of seams."""
    for place in PLACES:
        yield at(place, sweep=place is not COMPILED)


def at(place: Place, sweep: bool = True) -> Case:
    """The case of one place."""
    title = f"spikes at the seams of blocks and at both ends of {place.count} values"
    steps = KNOWN, train(place, SPIKES, DY), evaluate(place, SPIKES)
    return FAMILY.case(place, "seams", title, "NUM-8", *steps, sweep=sweep)
