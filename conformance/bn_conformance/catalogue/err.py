"""ERR: bad input raises.

What broadcasting, cutting, or reading the same memory in another shape would make good is bad input too: one channel,
as many again, or a size in all that fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bn_conformance.cases.model import Batch, Case
from bn_conformance.cases.recipes import Recipe
from bn_conformance.catalogue.build import (
    F32,
    F64,
    NC,
    NCDHW,
    NCHW,
    NCL,
    NDHWC,
    NHWC,
    NLC,
    Formats,
    Layout,
    make,
    normal,
)

WRONG_CHANNELS = {"nc": (8, 4), "nchw": (4, 2, 5, 5), "nhwc": (4, 5, 5, 2)}
WRONG_RANK = {"nc": (8, 5, 2, 2), "nchw": (4, 3), "nhwc": (4, 3)}
SAME_SIZE = {"nc": (10, 4), "nchw": (6, 2, 5, 5), "nhwc": (6, 5, 5, 2)}
"""Shapes of other channels with as many values in all as the layout's own."""

DY_SHAPES: dict[str, tuple[str, dict[str, tuple[int, ...]]]] = {
    "row": ("dy has one entry of the batch", {"nc": (1, 5), "nchw": (1, 3, 5, 5), "nhwc": (1, 5, 5, 3)}),
    "vector": ("dy has a value for each channel", {"nchw": (1, 3, 1, 1), "nhwc": (1, 1, 1, 3)}),
    "one": ("dy has one value", {"nc": (1, 1), "nchw": (1, 1, 1, 1), "nhwc": (1, 1, 1, 1)}),
    "transposed": ("dy has the axes of y in another order", {
        "nc": (5, 8), "nchw": (4, 5, 5, 3), "nhwc": (4, 3, 5, 5),
    }),
    "same-rows": ("dy has as many values a channel as y, in another shape", {
        "nchw": (4, 3, 25, 1), "nhwc": (4, 25, 1, 3),
    }),
    "longer": ("dy has one entry of the batch more than y", {"nc": (9, 5), "nchw": (5, 3, 5, 5), "nhwc": (5, 5, 5, 3)}),
}  # fmt: skip
"""Shapes of dy that could be made to fit y, by layout."""


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for layout in (NC, NCHW, NHWC):
        for training in (True, False):
            mode = "training" if training else "inference"
            x = normal("x")
            yield _channels(layout, training, "channels", WRONG_CHANNELS[layout.slug])
            title = f"x has rank {len(WRONG_RANK[layout.slug])} and the layer {len(layout.shape)}, in {mode}"
            batch = Batch(training=training, shape=WRONG_RANK[layout.slug], x=x)
            yield _case(layout, f"rank-{mode}", title, "ERR-2", batch)
            integers = Recipe(kind="integers", seed=7)
            batch = Batch(training=training, shape=layout.shape, x=integers, dtype="int32")
            yield _case(layout, f"integers-{mode}", f"x is an array of int32, in {mode}", "ERR-3", batch)
            yield _channels(layout, training, "one-channel", _with_channels(layout, 1))
            yield _channels(layout, training, "twice-the-channels", _with_channels(layout, 2 * layout.channels))
            yield _channels(layout, training, "channels-of-same-size", SAME_SIZE[layout.slug])
        yield _channels(layout, True, "channel-more", _with_channels(layout, layout.channels + 1), sweep=True)
        yield _dy(layout, True, "shape", "dy has other channels than y", WRONG_CHANNELS[layout.slug])
        for slug, (title, shapes) in DY_SHAPES.items():
            if layout.slug in shapes:
                yield _dy(layout, True, slug, title, shapes[layout.slug])
    for training in (True, False):
        for layout, formats in ((NCL, F32), (NLC, F32), (NCDHW, F32), (NDHWC, F32), (NC, F64), (NCHW, F64)):
            yield _channels(layout, training, "one-channel", _with_channels(layout, 1), formats, sweep=True)
    for layout in (NC, NCHW):
        for slug in ("row", "one", "longer"):
            title, shapes = DY_SHAPES[slug]
            yield _dy(layout, False, f"{slug}-inference", f"{title}, in inference", shapes[layout.slug], sweep=True)


def _with_channels(layout: Layout, channels: int) -> tuple[int, ...]:
    """The layout's shape with so many channels."""
    return tuple(channels if axis == layout.axis else size for axis, size in enumerate(layout.shape))


def _channels(
    layout: Layout, training: bool, slug: str, shape: tuple[int, ...], formats: Formats = F32, **more: Any
) -> Case:
    mode = "training" if training else "inference"
    title = f"x of shape {shape} has {shape[layout.axis]} channels and the layer {layout.channels}, in {mode}"
    batch = Batch(training=training, shape=shape, x=normal("x"))
    return _case(layout, f"{slug}-{mode}", title, "ERR-1", batch, formats, **more)


def _dy(layout: Layout, training: bool, slug: str, title: str, shape: tuple[int, ...], **more: Any) -> Case:
    batch = Batch(training=training, shape=layout.shape, x=normal("x"), dy=normal("dy"), dy_shape=shape)
    return _case(layout, f"dy-{slug}", title, "ERR-4", batch, **more)


def _case(
    layout: Layout, variant: str, title: str, clause: str, batch: Batch, formats: Formats = F32, **more: Any
) -> Case:
    return make("ERR", layout, formats, variant, title, (clause,), (batch,), expects="refusal", **more)
