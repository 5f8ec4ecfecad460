"""STATE and others: freezing, saving and odd batches within sequences, where each alone is tested elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from math import nan
from typing import Any

from bn_conformance.adapter import CUMULATIVE
from bn_conformance.cases.model import (
    EVERYTHING,
    GRADIENTS,
    OUTPUTS,
    STATISTICS,
    Case,
    Freeze,
    Parameters,
    Reload,
    Step,
)
from bn_conformance.cases.recipes import Recipe, seed_of
from bn_conformance.catalogue.between import MOVED, OTHER
from bn_conformance.catalogue.build import (
    BF16_WIDE,
    DY,
    F16_WIDE,
    F32,
    F64,
    IMAGES,
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

JUDGED = OUTPUTS | STATISTICS


def cases() -> Iterator[Case]:
    """Every case of a sequence."""
    for layout in (NC, NCHW, NHWC):
        steps: tuple[Step, ...] = (
            train(layout), Freeze(), train(layout, normal("frozen")), Reload(), train(layout, normal("thawed")),
            evaluate(layout),
        )  # fmt: skip
        title = "the layer that loads the state of a frozen one trains"
        yield _case(layout, "load-frozen-and-train", title, ("STATE-3",), steps, judges=JUDGED)
        steps = (
            train(layout), Freeze(), MOVED, train(layout, dy=DY), OTHER, train(layout, normal("next"), DY),
            evaluate(layout),
        )  # fmt: skip
        title = "statistics and parameters of a frozen layer are set"
        yield _case(layout, "freeze-then-set", title, ("STATE-6", "STATE-3"), steps, judges=EVERYTHING)
        x = Recipe(kind="special", seed=seed_of("x"), channel=1, special=nan)
        steps = (train(layout, x), train(layout, normal("next")), evaluate(layout))
        title = "NaN in the running statistics of a channel stays there in the next step"
        yield _case(layout, "nan-stays", title, ("EDGE-4",), steps, family="EDGE", judges=JUDGED, nonfinite_alike=True)
        for momentum in (0.0, 1.0):
            title = f"gradients with weight {momentum:g} of the new statistic"
            yield _case(
                layout, f"momentum-{momentum:g}", title, ("GRAD-1",), (train(layout, dy=DY),), family="GRAD",
                judges=OUTPUTS | GRADIENTS, config={"momentum": momentum},
            )  # fmt: skip
    for layout, formats in ((NC, F32), (NCHW, F32), (NHWC, F32), (NCHW, F64)):
        steps = (train(layout, dy=DY), train(layout, normal("next"), DY))
        title = "the caller writes over y of a layer without gamma and beta before its backward"
        yield _case(
            layout, "overwritten-no-affine", title, ("PURE-7",), steps, formats=formats, family="PURE",
            judges=EVERYTHING, config={"gamma": False, "beta": False}, overwrites=True, sweep=formats == F64,
        )  # fmt: skip
    for formats in (F16_WIDE, BF16_WIDE):
        for layout in IMAGES:
            fine = Parameters(
                gamma=Recipe(kind="centred", seed=31, offset=16.0, scale=2.0**-5),
                beta=Recipe(kind="centred", seed=32, offset=16.0, scale=2.0**-5),
            )
            x = Recipe(kind="centred", seed=33)
            steps = (known_statistics(), evaluate(layout, x), Reload(), evaluate(layout, x))
            title = "parameters whose last digits fit only the wider format are saved and loaded"
            yield _case(
                layout, "save-wide-parameters", title, ("STATE-2", "DTYPE-5"), steps, formats=formats, judges=OUTPUTS,
                parameters=fine, tight=True,
            )  # fmt: skip
    yield _empty()


def _empty() -> Case:
    steps: tuple[Step, ...] = (
        train(NC), train(resized(NC, (0, 5)), judge=False), train(NC, normal("next")), evaluate(NC)
    )  # fmt: skip
    title = "an empty batch is no step of a cumulative average"
    return _case(
        NC, "empty-batch-cumulative", title, ("EDGE-2",), steps, family="EDGE", judges=JUDGED,
        config={"momentum": CUMULATIVE}, expects="numbers-or-refusal",
    )  # fmt: skip


def _case(
    layout: Layout,
    variant: str,
    title: str,
    clauses: tuple[str, ...],
    steps: tuple[Step, ...],
    family: str = "STATE",
    formats: tuple[str, str] = F32,
    **more: Any,
) -> Case:
    return make(family, layout, formats, variant, title, clauses, steps, **more)
