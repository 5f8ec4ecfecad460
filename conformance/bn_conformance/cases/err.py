"""ERR: bad input raises."""

from __future__ import annotations

from collections.abc import Iterator

from bn_conformance.case import Batch, Case
from bn_conformance.cases.build import F32, NC, NCHW, NHWC, Layout, make, normal
from bn_conformance.recipes import Recipe

WRONG_CHANNELS = {"nc": (8, 4), "nchw": (4, 2, 5, 5), "nhwc": (4, 5, 5, 2)}
WRONG_RANK = {"nc": (8, 5, 2, 2), "nchw": (4, 3), "nhwc": (4, 3)}


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for layout in (NC, NCHW, NHWC):
        for training in (True, False):
            mode = "training" if training else "inference"
            x = normal("x")
            shape = WRONG_CHANNELS[layout.slug]
            title = f"x has {shape[layout.axis]} channels and the layer {layout.channels}, in {mode}"
            yield _case(layout, f"channels-{mode}", title, "ERR-1", Batch(training=training, shape=shape, x=x))
            title = f"x has rank {len(WRONG_RANK[layout.slug])} and the layer {len(layout.shape)}, in {mode}"
            batch = Batch(training=training, shape=WRONG_RANK[layout.slug], x=x)
            yield _case(layout, f"rank-{mode}", title, "ERR-2", batch)
            integers = Recipe(kind="integers", seed=7)
            batch = Batch(training=training, shape=layout.shape, x=integers, dtype="int32")
            yield _case(layout, f"integers-{mode}", f"x is an array of int32, in {mode}", "ERR-3", batch)
        batch = Batch(
            training=True, shape=layout.shape, x=normal("x"), dy=normal("dy"), dy_shape=WRONG_CHANNELS[layout.slug]
        )
        yield _case(layout, "dy-shape", "dy has other channels than y", "ERR-4", batch)


def _case(layout: Layout, variant: str, title: str, clause: str, batch: Batch) -> Case:
    return make("ERR", layout, F32, variant, title, (clause,), (batch,), expects="refusal")
