"""LAYOUT: ranks, channel axes, memory and sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bn_conformance.cases.model import Case, SetParameters, SetStatistics, Step
from bn_conformance.cases.views import VIEWS
from bn_conformance.catalogue.build import (
    DY,
    F32,
    F64,
    LAYOUTS,
    MEAN,
    NC,
    NCHW,
    NCL,
    NHWC,
    NLC,
    PARAMETERS,
    VARIANCE,
    Layout,
    evaluate,
    make,
    normal,
    resized,
    train,
)

BATCHES = (2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1023, 1025)
CHANNELS = (1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 129, 257)
SPATIAL = (2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33)
EQUAL_SIZES = (
    resized(NC, (5, 5)),
    resized(NCHW, (3, 3, 3, 3)),
    resized(NHWC, (3, 3, 3, 3)),
    resized(NCL, (4, 4, 4)),
    resized(NLC, (4, 4, 4)),
)
"""Every axis has the size of the channel axis, so that no shape tells which is which."""


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for layout in LAYOUTS:
        clause = "LAYOUT-1" if layout.axis == 1 else "LAYOUT-2"
        title = f"rank {len(layout.shape)} with the channels on axis {layout.axis}: training, then inference"
        steps: tuple[Step, ...] = (train(layout, dy=DY), evaluate(layout, normal("other"), DY))
        yield make("LAYOUT", layout, F32, "all", title, (clause,), steps)
    for layout in (NC, NCHW, NHWC):
        for view in VIEWS:
            if view == "contiguous":
                continue
            steps = (train(layout, dy=DY, view=view), evaluate(layout, normal("other"), view=view))
            title = f"inputs whose memory is {view}"
            yield make("LAYOUT", layout, F32, f"view-{view}", title, ("LAYOUT-3",), steps)
        yield from _own_memory(layout)
    for layout in EQUAL_SIZES:
        steps = (
            train(layout, dy=DY),
            evaluate(layout, normal("other"), DY),
            SetStatistics(MEAN, VARIANCE),
            evaluate(layout, normal("other")),
        )
        title = "axes of equal sizes: training, then inference"
        yield make("LAYOUT", layout, F32, "equal-axes", title, ("LAYOUT-5",), steps, sweep=len(layout.shape) != 4)
        steps = (train(layout, dy=DY),)
        yield make(
            "LAYOUT", layout, F32, "equal-axes-training", "axes of equal sizes: training", ("LAYOUT-5",), steps,
            sweep=len(layout.shape) != 4,
        )  # fmt: skip
    yield from _sizes()


def _own_memory(layout: Layout) -> Iterator[Case]:
    """x, dy and vectors that lie in memory each in its own way."""
    pairs = [
        ("contiguous", "fortran"),
        ("contiguous", "strided"),
        ("contiguous", "negative"),
        ("fortran", "contiguous"),
    ]
    if layout is not NC:  # a dy that is constant along the whole of a channel has a dx of 0
        pairs.append(("contiguous", "broadcast"))
    for view, dy_view in pairs:
        steps: tuple[Step, ...] = (train(layout, dy=DY, view=view, dy_view=dy_view),)
        title = f"x whose memory is {view} and dy whose memory is {dy_view}"
        yield make("LAYOUT", layout, F32, f"view-{view}-dy-{dy_view}", title, ("LAYOUT-3",), steps)
    for view in ("strided", "negative"):
        vectors = replace(PARAMETERS, view=view)
        steps = (
            train(layout, dy=DY),
            SetStatistics(MEAN, VARIANCE, view),
            evaluate(layout),
            SetParameters(gamma=PARAMETERS.beta, beta=PARAMETERS.gamma, view=view),
            evaluate(layout),
        )
        title = f"parameters and running statistics are set from vectors whose memory is {view}"
        yield make("LAYOUT", layout, F32, f"vectors-{view}", title, ("LAYOUT-3",), steps, parameters=vectors)


def _sizes() -> Iterator[Case]:
    for count in BATCHES:
        yield _size(resized(NC, (count, 3), f"nc-{count}x3"), f"a batch of {count}")
    for channels in CHANNELS:
        yield _size(resized(NC, (4, channels), f"nc-4x{channels}"), f"{channels} channels, rank 2")
        if channels in (1, 2, 7, 8, 9, 17, 33, 65):
            yield _size(resized(NHWC, (2, 3, 2, channels), f"nhwc-2x3x2x{channels}"), f"{channels} channels, last")
    for size in SPATIAL:
        yield _size(resized(NCHW, (2, 3, size, size), f"nchw-2x3x{size}x{size}"), f"{size} by {size} pixels")
        yield _size(resized(NCHW, (2, 2, 1, size), f"nchw-2x2x1x{size}"), f"one row of {size} pixels")
    for count in (3, 8, 17, 64, 129):
        layout = resized(NC, (count, 3), f"nc-{count}x3")
        steps = (train(layout, dy=DY),)
        title = f"a batch of {count} in float64"
        yield make("LAYOUT", layout, F64, "size", title, ("LAYOUT-4",), steps, sweep=True)


def _size(layout: Layout, title: str) -> Case:
    steps = (train(layout, dy=DY), evaluate(layout, normal("other")))
    return make("LAYOUT", layout, F32, "size", title, ("LAYOUT-4",), steps, sweep=True)
