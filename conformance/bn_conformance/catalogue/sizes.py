"""Sizes that code treats apart: long channels in every format, more than 65,536 values, many channels in every layout.

An implementation may count in 16 bits, choose another kernel from some size on, give a thread one of few blocks, or
hold parameters in an array of fixed length. n is odd or prime where counting is what matters.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import EVERYTHING, GRADIENTS, Case
from bn_conformance.catalogue.build import (
    BF16,
    BF16_WIDE,
    DY,
    F16,
    F16_WIDE,
    F32,
    F64,
    NC,
    NCHW,
    NCL,
    NHWC,
    NLC,
    Formats,
    Layout,
    X,
    evaluate,
    known_statistics,
    make,
    normal,
    resized,
    train,
)

LONG = (
    (F64, (257, 3)),
    (F64, (1025, 3)),
    (F64, (4099, 2)),
    (F32, (2049, 2)),
    (F16, (2049, 2)),
    (F16_WIDE, (2049, 2)),
    (BF16, (257, 3)),
    (BF16_WIDE, (257, 3)),
    (BF16_WIDE, (1023, 3)),
)
"""Counts that float16 (from 2049 on) and bfloat16 (from 257 on) do not hold, and lengths of other sums in float64."""

BEYOND = (
    resized(NC, (70001, 1), "nc-70001x1"),
    resized(NCHW, (2, 2, 131, 137), "nchw-2x2x131x137"),
    resized(NHWC, (2, 131, 137, 2), "nhwc-2x131x137x2"),
)
"""More than 65,536 values: a channel alone, or two together."""

PLAIN = (9, 33, 65, 130, 1025)
"""Channels beyond 8, 32, 64, 128 and 1024."""

FEWER = (9, 66)

MANY: dict[Formats, tuple[int, ...]] = {F32: PLAIN, F64: FEWER, F16: FEWER, BF16_WIDE: FEWER}

SHAPES = {NCHW: (2, 0, 2, 2), NHWC: (2, 2, 2, 0), NCL: (3, 0, 3), NLC: (3, 3, 0)}
"""Where many channels are; 0 stands for them."""


def cases() -> Iterator[Case]:
    """Every case of sizes."""
    for formats, shape in LONG:
        layout = resized(NC, shape, f"nc-{shape[0]}x{shape[1]}")
        yield _both_modes(layout, formats, "length", f"{layout.count} values a channel", "NUM-8")
    for formats in (F32, F64):
        layout = resized(NC, (4096, 3), "nc-4096x3")
        steps = (train(layout, normal("x"), normal("x")),)
        title = "dy is x, so that what flows through the variance is as large as what flows past it"
        yield make(
            "NUM", layout, formats, "length-dy-is-x", title, ("NUM-8", "GRAD-1"), steps, judges=GRADIENTS, sweep=True
        )
    for layout in BEYOND:
        yield _both_modes(layout, F32, "length", "more than 65,536 values in training and in inference", "NUM-8")
    for formats, counts in MANY.items():
        for layout, sizes in SHAPES.items():
            for channels in counts:
                place = resized(layout, tuple(size or channels for size in sizes))
                yield _both_modes(place, formats, "channels", f"{channels} channels", "LAYOUT-4")


def _both_modes(layout: Layout, formats: Formats, variant: str, title: str, clause: str) -> Case:
    steps = (train(layout, X, DY), known_statistics(), evaluate(layout, normal("other"), DY))
    title = f"{title}: training, then inference"
    return make(
        clause.partition("-")[0], layout, formats, variant, title, (clause,), steps, judges=EVERYTHING, sweep=True
    )
