"""Sizes that code treats apart: long channels in every format, more than 65,536 values, many channels in every layout.

An implementation may count in 16 bits, choose another kernel from some size on, give a thread one of few blocks, or
hold parameters in an array of fixed length. n is odd or prime where counting is what matters.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import GRADIENTS, Case
from bn_conformance.catalogue.build import DY, KNOWN, evaluate, normal, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import (
    BF16,
    BF16_WIDE,
    F16,
    F16_WIDE,
    F32,
    F64,
    NC,
    NCHW,
    NCL,
    NHWC,
    NLC,
    FormatPair,
    Place,
)
from bn_conformance.text import counted

FAMILY = Family(order=210, sweep=True)
case = FAMILY.case

LONG = (
    NC.resized(257, 3).of(F64),
    NC.resized(1025, 3).of(F64),
    NC.resized(4099, 2).of(F64),
    NC.resized(2049, 2),
    NC.resized(2049, 2).of(F16),
    NC.resized(2049, 2).of(F16_WIDE),
    NC.resized(257, 3).of(BF16),
    NC.resized(257, 3).of(BF16_WIDE),
    NC.resized(1023, 3).of(BF16_WIDE),
)
"""Counts that float16 (from 2049 on) and bfloat16 (from 257 on) do not hold, and lengths of other sums in float64."""

BEYOND = (NC.resized(70001, 1), NCHW.resized(2, 2, 131, 137), NHWC.resized(2, 131, 137, 2))
"""More than 65,536 values: a channel alone, or two together."""

PLAIN = (9, 33, 65, 130, 1025)
"""Channels beyond 8, 32, 64, 128 and 1024."""

FEWER = (9, 66)

MANY: dict[FormatPair, tuple[int, ...]] = {F32: PLAIN, F64: FEWER, F16: FEWER, BF16_WIDE: FEWER}

SHAPES = {NCHW: (2, 0, 2, 2), NHWC: (2, 2, 2, 0), NCL: (3, 0, 3), NLC: (3, 3, 0)}
"""Where many channels are; 0 stands for them."""


def cases() -> Iterator[Case]:
    """Every case of sizes."""
    for place in LONG:
        yield of_length(place)
    for formats in (F32, F64):
        place = NC.resized(4096, 3).of(formats)
        title = "dy is x, so that what flows through the variance is as large as what flows past it"
        step = train(place, normal("x"), normal("x"))
        yield case(place, "length-dy-is-x", title, "NUM-8 GRAD-1", step, judges=GRADIENTS)
    for place in BEYOND:
        yield _both_modes(place, "length", "more than 65,536 values in training and in inference", "NUM-8")
    for formats, counts in MANY.items():
        for layout, sizes in SHAPES.items():
            for channels in counts:
                place = layout.resized(*(size or channels for size in sizes)).of(formats)
                yield _both_modes(place, "channels", counted(channels, "channel"), "LAYOUT-4")


def of_length(place: Place) -> Case:
    """Both modes at a place whose length its question is."""
    return _both_modes(place, "length", f"{place.count} values a channel", "NUM-8")


def _both_modes(place: Place, variant: str, what: str, clause: str) -> Case:
    steps = train(place, dy=DY), KNOWN, evaluate(place, normal("other"), DY)
    return case(place, variant, f"{what}: training, then inference", clause, *steps)
