"""Features crossed with ranks and places of the channels, and with formats; and formats crossed with places.

All pairs, not all triples: features are tried in every place in float32, and in every pair of formats in one place.
Every pair of formats is tried in every place by one case. What other families have already is not repeated.
"""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.cases.model import Case
from bn_conformance.catalogue.build import DY, KNOWN, evaluate, normal, train
from bn_conformance.catalogue.features import FEATURES, everywhere, in_every_format, in_every_rank
from bn_conformance.catalogue.places import (
    BF16,
    BF16_WIDE,
    EVERY_LAYOUT,
    F16,
    F16_WIDE,
    F32_WIDE,
    F64,
    IMAGES,
    NCDHW,
    NCHW,
    NCL,
    NDHWC,
    NHCW,
    NHWC,
    NLC,
    Place,
)

FAMILY = FEATURES

NDCHW = Place("ndchw", (2, 3, 3, 2, 4), 2)
"""The axis before the channels has their size: what looks for them by size finds the wrong one."""

RARE = (NCL, NLC, NHCW, NCDHW, NDHWC, NDCHW)
"""Places where few other families have cases."""

OWN = (NCHW.of(F16), NHWC.of(BF16), NHWC.of(F16_WIDE), NCHW.of(BF16_WIDE), NCHW.of(F64), NHWC.of(F32_WIDE))
"""The pairs of formats that features are crossed with, each in the one place where that is done."""


def cases() -> Iterator[Case]:
    """Every case of the crossings."""
    for place in RARE:
        yield from everywhere(place)
        yield from in_every_rank(place)
    for place in OWN:
        features = (*everywhere(place), *in_every_format(place))
        yield from (case for case in features if not (place.formats == F64 and _is_elsewhere(case)))
    yield _both_modes(NDCHW)
    for own in OWN:
        for layout in (*EVERY_LAYOUT, NDCHW):
            place = layout.of(own.formats)
            if layout not in IMAGES or (own.formats == F32_WIDE and place == own):
                yield _both_modes(place)


def _is_elsewhere(case: Case) -> bool:
    """Whether the family STAT has the same case in float64, for images: statistics alone are judged."""
    variant = case.id.rpartition("/")[2]
    return variant.startswith(("crossed-momentum", "crossed-default-m", "crossed-cumulative"))


def _both_modes(place: Place) -> Case:
    steps = train(place, dy=DY), train(place, normal("next")), KNOWN, evaluate(place, dy=DY)
    title = f"rank {place.rank} with the channels on axis {place.axis}: training, then inference"
    clause = "LAYOUT-1" if place.axis == 1 else "LAYOUT-2"
    return FAMILY.case(place, "crossed", title, clause, *steps)
