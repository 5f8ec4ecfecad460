"""EDGE: one value per channel, one entry, nothing at all, and numbers that are none.

Each odd shape is a signature of its own; where the channels lie hardly matters to it, so implementations that compile
get one place of them and the others count as a sweep.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf, nan
from typing import Any

from bn_conformance.cases.model import GRADIENTS, OUTPUTS, Case
from bn_conformance.catalogue.build import DY, KNOWN, evaluate, fields, normal, special, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import F64, FEW, NC, NCHW, NCL, NHWC, Place

FAMILY = Family("EDGE", order=130)
case = FAMILY.case

ONE_VALUE = (NC.resized(1, 5), NCHW.resized(1, 3, 1, 1), NHWC.resized(1, 1, 1, 3))
EMPTY = ((NC, NC.resized(0, 5)), (NCHW, NCHW.resized(0, 3, 5, 5)), (NHWC, NHWC.resized(0, 5, 5, 3)))
"""Places, each with the same one of an empty batch."""
NO_PIXELS = ((NCL, NCL.resized(4, 3, 0)), (NCHW, NCHW.resized(4, 3, 0, 5)), (NHWC, NHWC.resized(4, 5, 0, 3)))
"""Entries without values: places, each with the same one without pixels."""
ONE_ENTRY = (NCHW.resized(1, 3, 5, 5), NHWC.resized(1, 5, 5, 3), NCL.resized(1, 3, 6))
NO_CHANNELS = (NC.resized(8, 0), NCHW.resized(4, 0, 5, 5), NHWC.resized(4, 5, 5, 0))
SPECIALS = {"nan": nan, "inf": inf, "minus-inf": -inf}


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for place in ONE_VALUE:
        title, step, odd = "one value a channel in training", train(place, dy=DY), _odd(place)
        yield case(place, "one-value", title, "EDGE-1", step, finite_statistics=True, **odd)
        title, step = "one value a channel in inference", evaluate(place)
        yield case(place, "one-value-inference", title, "EDGE-5", KNOWN, step, sweep=odd["sweep"])
    for place, empty in EMPTY:
        title, odd = "an empty batch in training, then an ordinary one in inference", _odd(place)
        yield case(empty, "empty-batch", title, "EDGE-2", KNOWN, train(empty), evaluate(place), **odd)
        title, step = "an empty batch in inference", evaluate(empty)
        yield case(empty, "empty-batch-inference", title, "EDGE-5", KNOWN, step, **odd)
    for place in NO_CHANNELS:
        yield replace(without_channels(place), sweep=_odd(place)["sweep"])
    for place, empty in NO_PIXELS:
        title, steps = (
            "entries without pixels in training, then ordinary ones in inference",
            (train(empty), evaluate(place)),
        )
        odd = fields(expects="numbers-or-refusal", sweep=place is not NCL)
        yield case(empty, "no-pixels", title, "EDGE-2", KNOWN, *steps, **odd)
    for place in ONE_ENTRY:
        title, step = "one entry of several values a channel is a batch like any other", train(place, dy=DY)
        look, odd = evaluate(place, normal("other"), DY), fields(sweep=place.slug[:4] != NCHW.slug)
        yield case(place, "one-entry", title, "EDGE-1", step, KNOWN, look, **odd)
    for place in FEW:
        for slug, value in SPECIALS.items():
            yield from _special(place, slug, value)
    yield from _special(NCHW.of(F64), "nan", nan)


def without_channels(place: Place) -> Case:
    """The case of a layer without channels, at a place that has none."""
    title, steps = "a layer without channels", (train(place), evaluate(place))
    return case(place, "no-channels", title, "EDGE-3", *steps, expects="numbers-or-refusal")


def _odd(place: Place) -> dict[str, Any]:
    return fields(expects="numbers-or-refusal", sweep=place.rank != NC.rank)


def _special(place: Place, slug: str, value: float) -> Iterator[Case]:
    x, dy = special("x", value), special("dy", value)
    title = f"{value} among the values of one channel"
    training = train(place, x, DY), evaluate(place)
    yield case(place, f"{slug}-in-training", title, "EDGE-4", *training, nonfinite_alike=True)
    inference = KNOWN, evaluate(place, x)
    yield case(place, f"{slug}-in-inference", title, "EDGE-4", *inference, judges=OUTPUTS, nonfinite_alike=True)
    title, step = f"{value} among the values of dy of one channel", train(place, normal("x"), dy)
    yield case(place, f"{slug}-in-dy", title, "EDGE-4", step, judges=GRADIENTS, nonfinite_alike=True)
