"""LAYOUT: ranks, channel axes, memory and sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bn_conformance.cases.model import Case, SetParameters, SetStatistics
from bn_conformance.cases.views import VIEWS
from bn_conformance.catalogue.build import DY, KNOWN, MEAN, PARAMETERS, VARIANCE, evaluate, normal, train
from bn_conformance.catalogue.family import Family
from bn_conformance.catalogue.places import BF16_WIDE, EVERY_LAYOUT, F16, F64, FEW, NC, NCHW, NCL, NHWC, NLC, Place
from bn_conformance.text import counted

FAMILY = Family("LAYOUT", order=120)
case = FAMILY.case

BATCHES = (2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1023, 1025)
CHANNELS = (1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 257)
CHANNELS_LAST = (1, 2, 7, 8, 9, 17, 33, 65)
SPATIAL = (2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33)
EQUAL_SIZES = (
    NC.resized(5, 5),
    NCHW.resized(3, 3, 3, 3),
    NHWC.resized(3, 3, 3, 3),
    NCL.resized(4, 4, 4),
    NLC.resized(4, 4, 4),
)
"""Every axis has the size of the channel axis, so that no shape tells which is which."""

VIEW_PAIRS = (
    ("contiguous", "fortran"),
    ("contiguous", "strided"),
    ("contiguous", "negative"),
    ("fortran", "contiguous"),
)
"""How x and dy lie in memory, each in its own way."""


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for place in EVERY_LAYOUT:
        clause = "LAYOUT-1" if place.axis == 1 else "LAYOUT-2"
        title = f"rank {place.rank} with the channels on axis {place.axis}: training, then inference"
        yield case(place, "all", title, clause, train(place, dy=DY), evaluate(place, normal("other"), DY))
    for place in FEW:
        for view in VIEWS:
            if view not in ("contiguous", "scalar") and not (view == "expanded" and place is NC):
                steps = train(place, dy=DY, view=view), evaluate(place, normal("other"), view=view)
                yield case(place, f"view-{view}", f"inputs whose memory is {view}", "LAYOUT-3", *steps)
        yield from _own_memory(place)
        if place is not NC:
            title, over_pixels = "dy is expanded over pixels, as behind a mean", train(place, dy=DY, dy_view="expanded")
            yield case(place, "view-contiguous-dy-expanded", title, "LAYOUT-3", over_pixels)
        title, look = "dy is one number, as behind a sum", evaluate(place, dy=DY, dy_view="scalar")
        yield case(place, "view-contiguous-dy-scalar", title, "LAYOUT-3 GRAD-4", KNOWN, look)
    for place in (NCHW.of(F16), NHWC.of(BF16_WIDE)):
        title, step = "16-bit x and dy at an odd element of a larger array", train(place, dy=DY, view="cut-middle")
        yield case(place, "view-cut-middle", title, "LAYOUT-3", step, evaluate(place, view="cut-middle"))
    for place in EQUAL_SIZES:
        sweep, step, look = place.rank != 4, train(place, dy=DY), evaluate(place, normal("other"))
        title, first = "axes of equal sizes: training, then inference", evaluate(place, normal("other"), DY)
        yield case(place, "equal-axes", title, "LAYOUT-5", step, first, KNOWN, look, sweep=sweep)
        title = "axes of equal sizes: training"
        yield case(place, "equal-axes-training", title, "LAYOUT-5", step, sweep=sweep)
    for place, title in _sizes():
        steps = train(place, dy=DY), evaluate(place, normal("other"))
        yield case(place, "size", title, "LAYOUT-4", *steps, sweep=True)
    for count in (3, 8, 17, 64, 129):
        place = NC.resized(count, 3).of(F64)
        yield case(place, "size", f"a batch of {count} in float64", "LAYOUT-4", train(place, dy=DY), sweep=True)


def _own_memory(place: Place) -> Iterator[Case]:
    """x, dy and vectors that lie in memory each in its own way."""
    # A dy that is constant along the whole of a channel has a dx of 0: at rank 2 that is all that broadcasting gives.
    for view, dy_view in VIEW_PAIRS if place is NC else (*VIEW_PAIRS, ("contiguous", "broadcast")):
        title = f"x whose memory is {view} and dy whose memory is {dy_view}"
        step = train(place, dy=DY, view=view, dy_view=dy_view)
        yield case(place, f"view-{view}-dy-{dy_view}", title, "LAYOUT-3", step)
    for view in ("strided", "negative"):
        title = f"parameters and running statistics are set from vectors whose memory is {view}"
        steps = (
            train(place, dy=DY),
            SetStatistics(MEAN, VARIANCE, view),
            evaluate(place),
            SetParameters(gamma=PARAMETERS.beta, beta=PARAMETERS.gamma, view=view),
            evaluate(place),
        )
        vectors = replace(PARAMETERS, view=view)
        yield case(place, f"vectors-{view}", title, "LAYOUT-3", *steps, parameters=vectors)


def _sizes() -> Iterator[tuple[Place, str]]:
    """Places of float32, each with what is particular in its size."""
    for count in BATCHES:
        yield NC.resized(count, 3), f"a batch of {count}"
    for channels in CHANNELS:
        yield NC.resized(4, channels), f"{counted(channels, 'channel')}, rank 2"
        if channels in CHANNELS_LAST:
            yield NHWC.resized(2, 3, 2, channels), f"{counted(channels, 'channel')}, last"
    for size in SPATIAL:
        yield NCHW.resized(2, 3, size, size), f"{size} by {size} pixels"
        yield NCHW.resized(2, 2, 1, size), f"one row of {size} pixels"
