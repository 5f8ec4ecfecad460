"""DTYPE-2: 16-bit data whose squares, sums or counts 16 bits do not hold, though float32, in which they are due, does.

float16 ends at 65504 and counts to 2048, bfloat16 counts to 256: a layer that squares, adds up or stores on the way in
the format of x gives infinities there, or sums that stop growing.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import (
    EVERYTHING,
    GRADIENTS,
    STATISTICS,
    Case,
    Quantities,
    SetStatistics,
    Step,
)
from bn_conformance.cases.recipes import Recipe, seed_of
from bn_conformance.catalogue.build import (
    BF16,
    BF16_WIDE,
    F16,
    F16_WIDE,
    MEAN,
    NC,
    VARIANCE,
    Formats,
    Layout,
    evaluate,
    make,
    normal,
    of_images,
    resized,
    train,
)

LARGE_DY = Recipe(kind="centred", seed=seed_of("large dy"), offset=5000.0, scale=15000.0)
"""Every dy is within float16, and no sum of a hundred of them."""

LONG = resized(NC, (4096, 3), "nc-4096x3")


def cases() -> Iterator[Case]:
    """Every case of 16-bit data beyond 16 bits."""
    for formats in (F16, F16_WIDE):
        for layout in of_images(formats):
            yield from _forward_overflows(layout, formats)
            yield from _backward_overflows(layout, formats)
    for formats in (F16, BF16, F16_WIDE, BF16_WIDE):
        yield from _long(formats)


def _forward_overflows(layout: Layout, formats: Formats) -> Iterator[Case]:
    dy = Recipe(kind="centred", seed=seed_of("dy"), scale=256.0)  # dx is dy over a deviation of up to 60000
    for slug, what, x in (
        ("squares-300", "deviations near 300, whose squares", Recipe(kind="centred", seed=41, scale=300.0)),
        ("squares-10000", "deviations near 10000, whose squares", Recipe(kind="centred", seed=42, scale=1e4)),
        ("sums", "values near 40000, whose sums", Recipe(kind="centred", seed=43, offset=4e4, scale=1e3)),
        ("differences", "values of -60000 and 60000, whose differences", Recipe(kind="alternating", scale=6e4)),
    ):
        judges = EVERYTHING if formats == F16_WIDE else EVERYTHING - STATISTICS  # the variances overflow in float16
        title = f"{what} overflow in float16 and not in float32"
        yield _case(layout, formats, f"overflow-{slug}", title, (train(layout, x, dy),), judges)


def _backward_overflows(layout: Layout, formats: Formats) -> Iterator[Case]:
    """Parameters of float16 have gradients that overflow themselves; dx does not."""
    judges: Quantities = GRADIENTS if formats == F16_WIDE else frozenset({"dx"})
    title = "a dy whose sums overflow in float16 and not in float32"
    steps: tuple[Step, ...] = (train(layout, normal("x", scale=64.0), LARGE_DY),)
    yield _case(layout, formats, "overflow-gradient-sums", title, steps, judges)
    if formats == F16_WIDE:
        steps = (SetStatistics(MEAN, VARIANCE), evaluate(layout, normal("x", offset=2.0), LARGE_DY))
        sums = frozenset({"dgamma", "dbeta"})
        yield _case(layout, formats, "overflow-inference-gradient-sums", title + ", in inference", steps, sums)


def _long(formats: Formats) -> Iterator[Case]:
    """Sums of 4096 terms of one sign, of the size of 1."""
    x = Recipe(kind="positive", seed=44)
    for slug, title, steps, judges in (
        (
            "long-sums",
            "4096 positive values a channel, and as many positive dy",
            (train(LONG, x, Recipe(kind="positive", seed=45)),),
            EVERYTHING,
        ),
        (
            "long-gradient-sums",
            "dgamma of 4096 products of one sign: dy grows with x",
            (train(LONG, x, x),),
            frozenset({"dgamma", "dbeta"}),
        ),
        (
            "long-inference-gradient-sums",
            "dgamma and dbeta of inference over 4096 values, all of one sign",
            (
                SetStatistics(Recipe(kind="fill", offset=-1.0), VARIANCE),
                evaluate(LONG, x, Recipe(kind="positive", seed=46)),
            ),
            frozenset({"dgamma", "dbeta"}),
        ),
    ):
        yield _case(LONG, formats, slug, title, steps, judges, ("DTYPE-2", "NUM-8"), sweep=True)


def _case(
    layout: Layout,
    formats: Formats,
    variant: str,
    title: str,
    steps: tuple[Step, ...],
    judges: Quantities,
    clauses: tuple[str, ...] = ("DTYPE-2",),
    sweep: bool = False,
) -> Case:
    return make("DTYPE", layout, formats, variant, title, clauses, steps, judges=judges, sweep=sweep)
