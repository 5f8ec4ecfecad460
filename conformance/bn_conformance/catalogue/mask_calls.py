"""MASK and SECOND together with what else a layer does: freezing, averages, repeated backwards, odd values.

Every shape but those of the sweep is one that other families have.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import nan
from typing import Any

from bn_conformance.adapter import CUMULATIVE
from bn_conformance.cases.masks import Mask
from bn_conformance.cases.model import EVERYTHING, OUTPUTS, SECOND_ORDER, STATISTICS, Case, Freeze, Step
from bn_conformance.cases.recipes import Recipe, seed_of
from bn_conformance.catalogue.between import EARLIER, OTHER
from bn_conformance.catalogue.build import (
    DY,
    F32,
    NC,
    NCHW,
    NHWC,
    Layout,
    evaluate,
    known_statistics,
    make,
    normal,
    resized,
    train,
)
from bn_conformance.catalogue.mask import RANDOM
from bn_conformance.catalogue.second import ALL

EVERY_SECOND = Mask(kind="samples")
"""It counts the place where `special` data have their special value, in each of the layouts here."""


def cases() -> Iterator[Case]:
    """Every case of a mask, or of a second order, with something else."""
    for layout in (NC, NCHW, NHWC):
        yield from _masked(layout)
    for layout in (NC, NCHW):
        x = Recipe(kind="constant", offset=0.25, scale=0.5)
        title = "second order of constant channels, where eps alone is under the root"
        yield _second(layout, "constant", title, train(layout, x, DY, second=ALL), {"eps": 0.25})
        title = "second order with the eps that many layers have"
        yield _second(layout, "eps-1e-05", title, train(layout, dy=DY, second=ALL), {"eps": 1e-5})
    for count in (129, 1025):
        long = resized(NC, (count, 5))
        title = f"a random mask of {count} values a channel"
        steps = (train(long, dy=DY, mask=RANDOM),)
        yield _case(long, "random", title, ("MASK-1", "MASK-3"), steps, sweep=True)


def _masked(layout: Layout) -> Iterator[Case]:
    steps: tuple[Step, ...] = (
        known_statistics(), Freeze(), train(layout, dy=DY, mask=RANDOM), evaluate(layout)
    )  # fmt: skip
    title = "a mask in training of a frozen layer changes nothing"
    yield _case(layout, "frozen", title, ("STATE-3",), steps)
    steps = (*(train(layout, normal(f"masked {index}"), mask=RANDOM) for index in range(3)), evaluate(layout))
    title = "a cumulative average of masked batches"
    config: dict[str, Any] = {"momentum": CUMULATIVE}
    yield _case(layout, "cumulative", title, ("MASK-2", "STAT-8"), steps, config=config)
    config, title = {"gamma": False, "beta": False}, "a random mask, in a layer without gamma and beta"
    yield _case(layout, "no-affine", title, ("MASK-3",), (train(layout, dy=DY, mask=RANDOM),), config=config)
    title = "two backwards of one masked forward"
    yield _case(layout, "backward-twice", title, ("MASK-3",), (train(layout, dy=DY, mask=RANDOM, between=(EARLIER,)),))
    title = "parameters are set between a masked forward and its backward"
    steps = (train(layout, dy=DY, mask=RANDOM, between=(OTHER,)),)
    yield _case(
        layout, "backward-after-set-parameters", title, ("STATE-6",), steps, expects="numbers-or-refusal"
    )  # fmt: skip
    x = Recipe(kind="special", seed=seed_of("x"), channel=1, special=nan)
    title = "NaN at a position that counts"
    yield _case(
        layout, "counted-nan", title, ("EDGE-4",), (train(layout, x, mask=EVERY_SECOND), evaluate(layout)),
        judges=OUTPUTS | STATISTICS, nonfinite_alike=True,
    )  # fmt: skip
    title = "the caller writes over its mask as soon as the forward is over"
    steps = (train(layout, dy=DY, mask=RANDOM), train(layout, normal("next"), DY, mask=EVERY_SECOND))
    yield _case(layout, "overwritten", title, ("PURE-7",), steps, overwrites=True)


def _second(layout: Layout, variant: str, title: str, step: Step, config: dict[str, Any]) -> Case:
    return make("SECOND", layout, F32, variant, title, ("SECOND-1",), (step,), config, judges=SECOND_ORDER)


def _case(
    layout: Layout, variant: str, title: str, clauses: tuple[str, ...], steps: tuple[Step, ...], **more: Any
) -> Case:
    return make("MASK", layout, F32, variant, title, clauses, steps, **{"judges": EVERYTHING, **more})
