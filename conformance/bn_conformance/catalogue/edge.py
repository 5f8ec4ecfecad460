"""EDGE: one value per channel, nothing at all, and numbers that are none.

Each odd shape is a signature of its own; where the channels lie hardly matters to it, so implementations that compile
get one place of them and the others count as a sweep.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, nan
from typing import Any

from bn_conformance.cases.model import EVERYTHING, GRADIENTS, OUTPUTS, Case, SetStatistics, Step
from bn_conformance.cases.recipes import Recipe, seed_of
from bn_conformance.catalogue.build import (
    DY,
    F32,
    F64,
    MEAN,
    NC,
    NCHW,
    NHWC,
    VARIANCE,
    Layout,
    evaluate,
    make,
    normal,
    resized,
    train,
)

SPECIALS = {"nan": nan, "inf": inf, "minus-inf": -inf}


def cases() -> Iterator[Case]:
    """Every case of the family."""
    for layout, shape in ((NC, (1, 5)), (NCHW, (1, 3, 1, 1)), (NHWC, (1, 1, 1, 3))):
        one = resized(layout, shape)
        title = "one value a channel in training"
        yield make(
            "EDGE", one, F32, "one-value", title, ("EDGE-1",), (train(one, dy=DY),),
            expects="numbers-or-refusal", finite_statistics=True, sweep=layout is not NC,
        )  # fmt: skip
        title = "one value a channel in inference"
        steps: tuple[Step, ...] = (SetStatistics(MEAN, VARIANCE), evaluate(one))
        yield make(
            "EDGE", one, F32, "one-value-inference", title, ("EDGE-5",), steps,
            expects="numbers-or-refusal", sweep=layout is not NC,
        )  # fmt: skip
    yield from _empty()
    for layout in (NC, NCHW, NHWC):
        for slug, value in SPECIALS.items():
            yield from _special(layout, slug, value)
    yield from _special(NCHW, "nan", nan, F64)


def _empty() -> Iterator[Case]:
    for layout, shape in ((NC, (0, 5)), (NCHW, (0, 3, 5, 5)), (NHWC, (0, 5, 5, 3))):
        empty = resized(layout, shape)
        more: dict[str, Any] = {"expects": "numbers-or-refusal", "sweep": layout is not NC}
        title = "an empty batch in training, then an ordinary one in inference"
        steps: tuple[Step, ...] = (SetStatistics(MEAN, VARIANCE), train(empty), evaluate(layout))
        yield make("EDGE", empty, F32, "empty-batch", title, ("EDGE-2",), steps, **more)
        title = "an empty batch in inference"
        steps = (SetStatistics(MEAN, VARIANCE), evaluate(empty))
        yield make("EDGE", empty, F32, "empty-batch-inference", title, ("EDGE-5",), steps, **more)
    for layout, shape in ((NC, (8, 0)), (NCHW, (4, 0, 5, 5)), (NHWC, (4, 5, 5, 0))):
        none = resized(layout, shape)
        title = "a layer without channels"
        yield make(
            "EDGE",
            none,
            F32,
            "no-channels",
            title,
            ("EDGE-3",),
            (train(none), evaluate(none)),
            expects="numbers-or-refusal",
            sweep=layout is not NC,
        )


def _special(layout: Layout, slug: str, value: float, formats: tuple[str, str] = F32) -> Iterator[Case]:
    x = Recipe(kind="special", seed=seed_of("x"), channel=1, special=value)
    title = f"{value} among the values of one channel"
    steps: tuple[Step, ...] = (train(layout, x, DY), evaluate(layout))
    judges = EVERYTHING
    yield make(
        "EDGE", layout, formats, f"{slug}-in-training", title, ("EDGE-4",), steps, judges=judges, nonfinite_alike=True
    )
    steps = (SetStatistics(MEAN, VARIANCE), evaluate(layout, x))
    yield make(
        "EDGE", layout, formats, f"{slug}-in-inference", title, ("EDGE-4",), steps, judges=OUTPUTS, nonfinite_alike=True
    )
    special = Recipe(kind="special", seed=seed_of("dy"), channel=1, special=value)
    title = f"{value} among the values of dy of one channel"
    judges = GRADIENTS
    steps = (train(layout, normal("x"), special),)
    yield make("EDGE", layout, formats, f"{slug}-in-dy", title, ("EDGE-4",), steps, judges=judges, nonfinite_alike=True)
