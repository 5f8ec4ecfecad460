"""DTYPE-2: 16-bit data whose squares, sums or counts 16 bits do not hold, though float32, in which they are due, does.

float16 ends at 65504 and counts to 2048, bfloat16 counts to 256: a layer that squares, adds up or stores on the way in
the format of x gives infinities there, or sums that stop growing.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import (
    ALL_QUANTITIES,
    GRADIENTS,
    OUTPUTS,
    STATISTICS,
    Case,
    ParameterRecipes,
    SetStatistics,
)
from bn_conformance.cases.recipes import DataRecipe, seed_of
from bn_conformance.catalogue.build import KNOWN, VARIANCE, centred, evaluate, fill, normal, positive, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16, BF16_WIDE, F16, F16_WIDE, NC, Place, images_of

FAMILY = Family("DTYPE", order=110)
case = FAMILY.case

OVERFLOWING = (
    ("squares-300", "deviations near 300, whose squares", centred(41, scale=300.0)),
    ("squares-10000", "deviations near 10000, whose squares", centred(42, scale=1e4)),
    ("sums", "values near 40000, whose sums", centred(43, offset=4e4, scale=1e3)),
    ("differences", "values of -60000 and 60000, whose differences", DataRecipe(kind="alternating", scale=6e4)),
)

DY = centred(seed_of("dy"), scale=256.0)
"""dx is dy over a deviation of up to 60000."""

LARGE_DY = centred(seed_of("large dy"), offset=5000.0, scale=15000.0)
"""Every dy is within float16, and no sum of a hundred of them."""

LONG = NC.resized(4096, 3)
SUMS = frozenset({"dgamma", "dbeta"})


def cases() -> Iterator[Case]:
    """Every case of 16-bit data beyond 16 bits."""
    for place in (*images_of(F16), *images_of(F16_WIDE)):
        yield from forward_overflows(place)
        yield from backward_overflows(place)
        yield from results_overflow(place)
    for formats in (F16, BF16, F16_WIDE, BF16_WIDE):
        yield from _long(LONG.of(formats))


def forward_overflows(place: Place) -> Iterator[Case]:
    """Running variances of float16 overflow themselves; those of float32 do not."""
    judges = ALL_QUANTITIES if place.formats == F16_WIDE else ALL_QUANTITIES - STATISTICS
    for slug, what, x in OVERFLOWING:
        title = f"{what} overflow in float16 and not in float32"
        yield case(place, f"overflow-{slug}", title, "DTYPE-2", train(place, x, DY), judges=judges)


def backward_overflows(place: Place) -> Iterator[Case]:
    """Parameters of float16 have gradients that overflow themselves; dx does not."""
    wide = place.formats == F16_WIDE
    title, step = (
        "a dy whose sums overflow in float16 and not in float32",
        train(place, normal("x", scale=64.0), LARGE_DY),
    )
    judges = GRADIENTS if wide else frozenset({"dx"})
    yield case(place, "overflow-gradient-sums", title, "DTYPE-2", step, judges=judges)
    if wide:
        title, step = f"{title}, in inference", evaluate(place, normal("x", offset=2.0), LARGE_DY)
        yield case(place, "overflow-inference-gradient-sums", title, "DTYPE-2", KNOWN, step, judges=SUMS)


def results_overflow(place: Place) -> Iterator[Case]:
    """A y, and in float16 a running variance, that its own format does not hold."""
    large = ParameterRecipes(gamma=fill(4e4), beta=centred(seed_of("beta")))
    title, steps = "y beyond 65504 is infinite, and the rest of y is not", (train(place), KNOWN, evaluate(place))
    yield case(place, "results-overflow", title, "DTYPE-6", *steps, parameters=large, judges=OUTPUTS)
    if place.formats == F16:
        title, step = "a running variance beyond 65504 is infinite", train(place, normal("x", scale=1000.0))
        yield case(place, "statistics-overflow", title, "DTYPE-6", step, judges=STATISTICS)


def _long(place: Place) -> Iterator[Case]:
    """Sums of 4096 terms of one sign, of the size of 1."""
    x, clauses = positive(44), "DTYPE-2 NUM-8"
    title = "4096 positive values a channel, and as many positive dy"
    yield case(place, "long-sums", title, clauses, train(place, x, positive(45)), sweep=True)
    title = "dgamma of 4096 products of one sign: dy grows with x"
    yield case(place, "long-gradient-sums", title, clauses, train(place, x, x), judges=SUMS, sweep=True)
    title = "dgamma and dbeta of inference over 4096 values, all of one sign"
    steps = SetStatistics(fill(-1.0), VARIANCE), evaluate(place, x, positive(46))
    yield case(place, "long-inference-gradient-sums", title, clauses, *steps, judges=SUMS, sweep=True)
