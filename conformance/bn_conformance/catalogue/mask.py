"""MASK: statistics over the positions that count. Every shape is one that other families have.

Few positions are masked in a small batch, so that counting one more, or the wrong ones, stands far outside the bounds.
Values where none counts are large in some cases: what takes them in shows at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, nan
from typing import Any

from bn_conformance.cases.masks import Mask
from bn_conformance.cases.model import EVERYTHING, OUTPUTS, STATISTICS, Case, Quantities, Step
from bn_conformance.cases.recipes import Recipe, seed_of
from bn_conformance.catalogue.build import (
    BF16_WIDE,
    DY,
    F16_WIDE,
    F32,
    F64,
    IMAGES,
    NC,
    NCHW,
    NHWC,
    NLC,
    Formats,
    Layout,
    evaluate,
    known_statistics,
    make,
    normal,
    resized,
    train,
)

RANDOM = Mask(seed=seed_of("mask"))
ALL = Mask(kind="all")
NONE = Mask(kind="none")
SQUARE = (resized(NCHW, (3, 3, 3, 3)), resized(NHWC, (3, 3, 3, 3)))
"""Axes of one size: a mask that lies along the wrong axis has the right shape all the same."""

SHAPES = {
    "samples": ("every second entry of the batch counts, whole", Mask(kind="samples")),
    "prefixes": ("of each entry the first positions count, as of padded sequences", Mask(kind="prefixes")),
    "two": ("two positions count", Mask(kind="two")),
}
HIDDEN = {"nan": nan, "inf": inf, "1e30": 1e30}


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for layout, formats in (
        (NC, F32), (NLC, F32), (NCHW, F32), (NHWC, F32), (NCHW, F64), (NHWC, F64), (NHWC, F16_WIDE), (NHWC, BF16_WIDE)
    ):  # fmt: skip
        title, steps = "a random mask", (train(layout, dy=DY, mask=RANDOM),)
        yield _case(layout, formats, "random", title, ("MASK-1", "MASK-2", "MASK-3", "MASK-7"), steps)
        steps = (train(layout, dy=DY, mask=ALL),)
        yield _case(layout, formats, "all", "a mask that is true everywhere", ("MASK-4", "MASK-1"), steps)
    for layout in SQUARE:
        title = "a random mask of a batch whose axes have equal sizes"
        yield _case(layout, F32, "random", title, ("MASK-1", "MASK-3"), (train(layout, dy=DY, mask=RANDOM),))
    for layout, formats in ((NC, F32), *((image, F32) for image in IMAGES), (NHWC, F64)):
        yield from _of_layout(layout, formats)


def _of_layout(layout: Layout, formats: Formats) -> Iterator[Case]:
    for slug, (title, mask) in SHAPES.items():
        if slug != "prefixes" or layout is not NC:
            yield _case(layout, formats, slug, title, ("MASK-1", "MASK-3"), (train(layout, dy=DY, mask=mask),))
    title = "large values where none counts: y is large there, and the statistics do not see them"
    steps: tuple[Step, ...] = (train(layout, dy=DY, mask=Mask(seed=RANDOM.seed, hidden=100.0)),)
    yield _case(layout, formats, "hidden-100", title, ("MASK-1", "MASK-7"), steps)
    for slug, value in HIDDEN.items():
        steps = (train(layout, mask=Mask(seed=RANDOM.seed, hidden=value)), evaluate(layout))
        title, clauses = f"{value} at positions that do not count", ("MASK-6",)
        judges = OUTPUTS | STATISTICS
        yield _case(layout, formats, f"hidden-{slug}", title, clauses, steps, judges=judges, nonfinite_alike=True)
    title = "a mask that counts one position, then inference"
    steps = (train(layout, mask=Mask(kind="one"), judge=False), evaluate(layout))
    yield _case(
        layout, formats, "one", title, ("EDGE-1",), steps, judges=OUTPUTS | STATISTICS,
        expects="numbers-or-refusal", finite_statistics=True,
    )  # fmt: skip
    title = "a mask that counts nothing, then inference"
    steps = (known_statistics(), train(layout, mask=NONE, judge=False), evaluate(layout))
    yield _case(
        layout, formats, "none", title, ("MASK-5",), steps, judges=OUTPUTS | STATISTICS, expects="numbers-or-refusal"
    )
    title = "a mask in inference changes nothing"
    steps = (known_statistics(), evaluate(layout, dy=DY, mask=RANDOM), evaluate(layout, mask=NONE))
    yield _case(layout, formats, "inference", title, ("MASK-8", "EVAL-1", "GRAD-4"), steps)
    title = "training with another mask each time, without one, and inference in between"
    other = Mask(seed=seed_of("other mask"))
    steps = (
        train(layout, normal("first", offset=1.0), mask=RANDOM),
        evaluate(layout),
        train(layout, normal("second"), dy=DY, mask=other),
        train(layout, normal("third", offset=-1.0), dy=DY),
        train(layout, normal("fourth"), dy=DY, mask=RANDOM),
        evaluate(layout, mask=other),
    )
    yield _case(layout, formats, "sequence", title, ("MASK-2", "MASK-3", "STATE-1"), steps)
    title = "a dy of one sign, which the positions that do not count give as much of as the others"
    steps = (train(layout, dy=Recipe(kind="positive", seed=seed_of("dy")), mask=RANDOM),)
    yield _case(layout, formats, "dy-positive", title, ("MASK-3",), steps)


def _case(
    layout: Layout,
    formats: Formats,
    variant: str,
    title: str,
    clauses: tuple[str, ...],
    steps: tuple[Step, ...],
    judges: Quantities = EVERYTHING,
    **more: Any,
) -> Case:
    return make("MASK", layout, formats, variant, title, clauses, steps, judges=judges, **more)
