"""MASK: statistics over the positions that count. Every shape is one that other families have.

Few positions are masked in a small batch, so that counting one more, or the wrong ones, stands far outside the bounds.
Values where none counts are large in some cases: what takes them in shows at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, nan

from bn_conformance.cases.masks import MaskRecipe
from bn_conformance.cases.model import OUTPUTS, STATISTICS, Batch, Case
from bn_conformance.cases.recipes import seed_of
from bn_conformance.catalogue.build import DY, KNOWN, evaluate, fields, normal, positive, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16_WIDE, F16_WIDE, F64, FEW, NC, NCHW, NHWC, NLC, Place

FAMILY = Family("MASK", order=50)
case = FAMILY.case

RANDOM = MaskRecipe(seed=seed_of("mask"))
OTHER = MaskRecipe(seed=seed_of("other mask"))
ALL = MaskRecipe(kind="all")
NONE = MaskRecipe(kind="none")

MOST_PLACES = (NC, NLC, NCHW, NHWC, NCHW.of(F64), NHWC.of(F64), NHWC.of(F16_WIDE), NHWC.of(BF16_WIDE))

SQUARE = (NCHW.resized(3, 3, 3, 3), NHWC.resized(3, 3, 3, 3))
"""Axes of one size: a mask that lies along the wrong axis has the right shape all the same."""

SHAPES = {
    "samples": ("every second entry of the batch counts, whole", MaskRecipe(kind="samples")),
    "prefixes": ("of each entry the first positions count, as of padded sequences", MaskRecipe(kind="prefixes")),
    "two": ("two positions count", MaskRecipe(kind="two")),
}
HIDDEN = {"nan": nan, "inf": inf, "1e30": 1e30}


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for place in MOST_PLACES:
        step = train(place, dy=DY, mask=RANDOM)
        yield case(place, "random", "a random mask", "MASK-1 MASK-2 MASK-3 MASK-7", step)
        yield case(place, "all", "a mask that is true everywhere", "MASK-4 MASK-1", train(place, dy=DY, mask=ALL))
    for place in SQUARE:
        title = "a random mask of a batch whose axes have equal sizes"
        yield case(place, "random", title, "MASK-1 MASK-3", train(place, dy=DY, mask=RANDOM))
    for place in (*FEW, NHWC.of(F64)):
        yield from _shapes(place)
        yield from _hidden(place)
        yield from _few_or_none(place)
        title, steps = "a mask in inference changes nothing", (evaluate(place, dy=DY, mask=RANDOM),)
        yield case(place, "inference", title, "MASK-8 EVAL-1 GRAD-4", KNOWN, *steps, evaluate(place, mask=NONE))
        title = "training with another mask each time, without one, and inference in between"
        yield case(place, "sequence", title, "MASK-2 MASK-3 STATE-1", *_in_turn(place))
        title = "a dy of one sign, which the positions that do not count give as much of as the others"
        step = train(place, dy=positive(seed_of("dy")), mask=RANDOM)
        yield case(place, "dy-positive", title, "MASK-3", step)
    for place in (NC, NHWC, NCHW.of(F64)):
        title, step = "a random mask of data of mean 1000", train(place, normal("x", offset=1000.0), DY, mask=RANDOM)
        yield case(place, "offset-1000", title, "MASK-1 NUM-1", step, axes={"offset": 1000.0})


def _shapes(place: Place) -> Iterator[Case]:
    for variant, (title, mask) in SHAPES.items():
        if variant != "prefixes" or place is not NC:
            yield case(place, variant, title, "MASK-1 MASK-3", train(place, dy=DY, mask=mask))


def _hidden(place: Place) -> Iterator[Case]:
    title = "large values where none counts: y is large there, and the statistics do not see them"
    step = train(place, dy=DY, mask=MaskRecipe(seed=RANDOM.seed, hidden=100.0))
    yield case(place, "hidden-100", title, "MASK-1 MASK-7", step)
    judged = fields(judges=OUTPUTS | STATISTICS, nonfinite_alike=True)
    for slug, value in HIDDEN.items():
        title, step = (
            f"{value} at positions that do not count",
            train(place, mask=MaskRecipe(seed=RANDOM.seed, hidden=value)),
        )
        yield case(place, f"hidden-{slug}", title, "MASK-6", step, evaluate(place), **judged)


def _few_or_none(place: Place) -> Iterator[Case]:
    judged = fields(judges=OUTPUTS | STATISTICS, expects="numbers-or-refusal")
    title, step = (
        "a mask that counts one position, then inference",
        train(place, mask=MaskRecipe(kind="one"), judge=False),
    )
    yield case(place, "one", title, "EDGE-1", step, evaluate(place), **judged, finite_statistics=True)
    title, step = "a mask that counts nothing, then inference", train(place, mask=NONE, judge=False)
    yield case(place, "none", title, "MASK-5", KNOWN, step, evaluate(place), **judged)


def _in_turn(place: Place) -> tuple[Batch, ...]:
    return (
        train(place, normal("first", offset=1.0), mask=RANDOM),
        evaluate(place),
        train(place, normal("second"), dy=DY, mask=OTHER),
        train(place, normal("third", offset=-1.0), dy=DY),
        train(place, normal("fourth"), dy=DY, mask=RANDOM),
        evaluate(place, mask=OTHER),
    )
