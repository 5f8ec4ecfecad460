"""Features crossed with ranks and places of the channels, and with formats; and formats crossed with places.

All pairs, not all triples: features are tried in every place in float32, and in every pair of formats in one place.
Every pair of formats is tried in every place by one case. What other families have already is not repeated.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import EVERYTHING, Case
from bn_conformance.catalogue.build import (
    BF16,
    BF16_WIDE,
    DY,
    F16,
    F16_WIDE,
    F32,
    F32_WIDE,
    F64,
    LAYOUTS,
    NCDHW,
    NCHW,
    NCL,
    NDHWC,
    NHCW,
    NHWC,
    NLC,
    Formats,
    Layout,
    X,
    evaluate,
    known_statistics,
    make,
    normal,
    train,
)
from bn_conformance.catalogue.features import LAYERS, NUMBERS, OF_FORMATS, OF_RANKS, Feature, case_of

NDCHW = Layout("ndchw", (2, 3, 3, 2, 4), 2)
"""The axis before the channels has their size: what looks for them by size finds the wrong one."""

PLACES = (NCL, NLC, NHCW, NCDHW, NDHWC, NDCHW)
"""Where few other families have cases."""

FORMATS = {F16: NCHW, BF16: NHWC, F16_WIDE: NHWC, BF16_WIDE: NCHW, F64: NCHW, F32_WIDE: NHWC}
"""The pairs of formats that features are crossed with, each in the one place where that is done."""


def cases() -> Iterator[Case]:
    """Every case of the crossings."""
    for layout in PLACES:
        for feature in (*LAYERS, *NUMBERS, *OF_RANKS):
            yield case_of(feature, layout, F32)
    for formats, layout in FORMATS.items():
        for feature in (*LAYERS, *NUMBERS, *OF_FORMATS):
            if not _there_is(feature, formats):
                yield case_of(feature, layout, formats)
    yield _everything(NDCHW, F32)
    for formats, own in FORMATS.items():
        for layout in (*LAYOUTS, NDCHW):
            if layout not in (NCHW, NHWC) or (formats == F32_WIDE and layout is own):
                yield _everything(layout, formats)


def _there_is(feature: Feature, formats: Formats) -> bool:
    """Whether other families have the feature in these formats, in the image layouts: statistics of float64."""
    return formats == F64 and feature.slug.startswith(("crossed-momentum", "crossed-default-m", "crossed-cumulative"))


def _everything(layout: Layout, formats: Formats) -> Case:
    steps = train(layout, X, DY), train(layout, normal("next")), known_statistics(), evaluate(layout, X, DY)
    title = f"rank {len(layout.shape)} with the channels on axis {layout.axis}: training, then inference"
    clause = "LAYOUT-1" if layout.axis == 1 else "LAYOUT-2"
    return make("LAYOUT", layout, formats, "crossed", title, (clause,), steps, judges=EVERYTHING, sweep=True)
